//! Two system calls that the standard library does not offer.

use std::ffi::{CString, c_char, c_int, c_ulong, c_void};
use std::fs::File;
use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null;

unsafe extern "C" {
    #[link_name = "close"]
    fn close_descriptor(descriptor: c_int) -> c_int;
    fn mount(
        source: *const c_char,
        target: *const c_char,
        kind: *const c_char,
        flags: c_ulong,
        data: *const c_void,
    ) -> c_int;
}

const MS_REMOUNT: c_ulong = 32;
const MS_NOSUID: c_ulong = 2;
const MS_NODEV: c_ulong = 4;

/// Closes `file`, and tells what a filesystem says only then: that it could not store what was written.
pub fn close(file: File) -> io::Result<()> {
    // SAFETY: the descriptor is ours alone, and nobody uses it after this.
    told(unsafe { close_descriptor(file.into_raw_fd()) })
}

/// Makes the kernel write back and forget what it remembers of the filesystem at `mountpoint`: names, attributes, data.
/// A remount that changes nothing does that, to this filesystem alone.
pub fn forget_names(mountpoint: &Path) -> io::Result<()> {
    let target = CString::new(mountpoint.as_os_str().as_bytes())?;
    let flags = MS_REMOUNT | MS_NOSUID | MS_NODEV;
    // SAFETY: `target` lives until the call returns; a remount needs nothing else.
    told(unsafe { mount(null(), target.as_ptr(), null(), flags, null()) }).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!(
                "the kernel does not forget the names of {}: {error} (`cache: warm` leaves them)",
                mountpoint.display()
            ),
        )
    })
}

fn told(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
