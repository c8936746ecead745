//! Reads, sets and removes text values under `HKEY_CURRENT_USER`, as a start-up item needs.

use std::io;

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, WIN32_ERROR};
use windows_sys::Win32::System::Registry::{
    HKEY_CURRENT_USER, REG_SZ, RRF_RT_REG_BINARY, RRF_RT_REG_SZ, RegDeleteKeyValueW, RegGetValueW,
    RegSetKeyValueW,
};

/// Longest value in bytes; a command line has at most 32,767 UTF-16 units.
const MOST: usize = 2 * 32_768;

/// Returns the value's text, or `None` if the value does not exist.
///
/// # Errors
/// When the value is not text, is too long or may not be read.
pub(super) fn get(key: &str, name: &str) -> io::Result<Option<String>> {
    let bytes = read(key, name, RRF_RT_REG_SZ)?;
    Ok(bytes.map(|bytes| {
        let units = bytes
            .chunks_exact(2)
            .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        String::from_utf16_lossy(&units)
    }))
}

/// Returns the bytes of a binary value, or `None` if the value does not exist.
///
/// # Errors
/// When the value is not binary, is too long or may not be read.
pub(super) fn get_bytes(key: &str, name: &str) -> io::Result<Option<Vec<u8>>> {
    read(key, name, RRF_RT_REG_BINARY)
}

fn read(key: &str, name: &str, kind: u32) -> io::Result<Option<Vec<u8>>> {
    let (key, name) = (wide(key)?, wide(name)?);
    let mut bytes = vec![0_u8; MOST];
    let mut length = MOST as u32;
    // SAFETY: the names end with a zero; `bytes` has `length` bytes, and both outlive the call.
    let error = unsafe {
        RegGetValueW(
            HKEY_CURRENT_USER,
            key.as_ptr(),
            name.as_ptr(),
            kind,
            std::ptr::null_mut(),
            bytes.as_mut_ptr().cast(),
            &mut length,
        )
    };
    match check(error) {
        Ok(()) => {
            bytes.truncate(length as usize);
            Ok(Some(bytes))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sets a value and creates the key if it is missing.
///
/// # Errors
/// When the key may not be written.
pub(super) fn set(key: &str, name: &str, text: &str) -> io::Result<()> {
    let (key, name, text) = (wide(key)?, wide(name)?, wide(text)?);
    let bytes = u32::try_from(text.len() * 2).map_err(|_| io::ErrorKind::FileTooLarge)?;
    // SAFETY: the names end with a zero; `text` has `bytes` bytes; all outlive the call.
    check(unsafe {
        RegSetKeyValueW(
            HKEY_CURRENT_USER,
            key.as_ptr(),
            name.as_ptr(),
            REG_SZ,
            text.as_ptr().cast(),
            bytes,
        )
    })
}

/// Removes a value.
///
/// # Errors
/// `NotFound` when the value does not exist.
pub(super) fn remove(key: &str, name: &str) -> io::Result<()> {
    let (key, name) = (wide(key)?, wide(name)?);
    // SAFETY: the names end with a zero and outlive the call.
    check(unsafe { RegDeleteKeyValueW(HKEY_CURRENT_USER, key.as_ptr(), name.as_ptr()) })
}

fn check(error: WIN32_ERROR) -> io::Result<()> {
    match error {
        ERROR_SUCCESS => Ok(()),
        // The registry's error codes are small positive numbers.
        error => Err(io::Error::from_raw_os_error(error.cast_signed())),
    }
}

fn wide(text: &str) -> io::Result<Vec<u16>> {
    if text.contains('\0') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(text.encode_utf16().chain([0]).collect())
}
