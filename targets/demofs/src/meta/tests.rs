//! What every metadata store promises, tried on each of them.
