//! Text values under `HKEY_CURRENT_USER`, the three calls that a start-up item takes.

use std::io;

use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, ERROR_SUCCESS, WIN32_ERROR};
use windows_sys::Win32::System::Registry::{
    HKEY_CURRENT_USER, REG_SZ, RRF_RT_REG_BINARY, RRF_RT_REG_SZ, RegDeleteKeyValueW, RegGetValueW,
    RegSetKeyValueW,
};

/// UTF-16 units; a command line has at most 32,767.
const MOST: usize = 32_768;

/// The value's text; `None`: there is no such value.
///
/// # Errors
/// When it is no text, is too long or may not be read.
pub(super) fn get(key: &str, name: &str) -> io::Result<Option<String>> {
    let (key, name) = (wide(key)?, wide(name)?);
    let mut text = vec![0_u16; MOST];
    // Cannot be more than fits: MOST is far below 2^31.
    let mut bytes = u32::try_from(text.len() * 2).unwrap_or(u32::MAX);
    // SAFETY: the names end with a zero; `text` has `bytes` bytes, and both outlive the call.
    let error = unsafe {
        RegGetValueW(
            HKEY_CURRENT_USER,
            key.as_ptr(),
            name.as_ptr(),
            RRF_RT_REG_SZ,
            std::ptr::null_mut(),
            text.as_mut_ptr().cast(),
            &mut bytes,
        )
    };
    if error == ERROR_MORE_DATA {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    match check(error) {
        Ok(()) => {
            let until_zero = text.iter().take_while(|unit| **unit != 0).copied();
            let units: Vec<u16> = until_zero.collect();
            Ok(Some(String::from_utf16_lossy(&units)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The bytes of a binary value; `None`: there is no such value.
///
/// # Errors
/// When it is no binary value, is longer than 1 KiB or may not be read.
pub(super) fn get_bytes(key: &str, name: &str) -> io::Result<Option<Vec<u8>>> {
    let (key, name) = (wide(key)?, wide(name)?);
    let mut bytes = vec![0_u8; 1024];
    let mut length = 1024;
    // SAFETY: the names end with a zero; `bytes` has `length` bytes, and both outlive the call.
    let error = unsafe {
        RegGetValueW(
            HKEY_CURRENT_USER,
            key.as_ptr(),
            name.as_ptr(),
            RRF_RT_REG_BINARY,
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

/// Sets it; the key is made if need be.
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

/// Removes it.
///
/// # Errors
/// `NotFound` when there is none.
pub(super) fn remove(key: &str, name: &str) -> io::Result<()> {
    let (key, name) = (wide(key)?, wide(name)?);
    // SAFETY: the names end with a zero and outlive the call.
    check(unsafe { RegDeleteKeyValueW(HKEY_CURRENT_USER, key.as_ptr(), name.as_ptr()) })
}

fn check(error: WIN32_ERROR) -> io::Result<()> {
    if error == ERROR_SUCCESS {
        return Ok(());
    }
    // The codes of the registry are small positive numbers.
    Err(io::Error::from_raw_os_error(
        i32::try_from(error).unwrap_or(i32::MAX),
    ))
}

fn wide(text: &str) -> io::Result<Vec<u16>> {
    if text.contains('\0') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(text.encode_utf16().chain([0]).collect())
}
