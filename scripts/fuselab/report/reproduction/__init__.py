"""The page that holds a bundle from elsewhere against what was measured here."""
