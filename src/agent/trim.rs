//! Keeping an idle agent small.

/// Gives back what a round needed and an idle agent does not: free memory of the heap, and the
/// pages of the program, which the system reads from its page cache again when they are used.
pub(super) fn trim_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim has no preconditions; it only returns free pages to the system. The
    // callback is called with valid data during the call only, and does not unwind.
    unsafe {
        libc::malloc_trim(0);
        libc::dl_iterate_phdr(Some(release_code), std::ptr::null_mut());
    }
}

/// Releases the pages of the first object's code: that is the program itself (dl_iterate_phdr(3)).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
unsafe extern "C" fn release_code(
    info: *mut libc::dl_phdr_info,
    _: libc::size_t,
    _: *mut libc::c_void,
) -> libc::c_int {
    const STOP: libc::c_int = 1;

    // SAFETY: sysconf has no preconditions.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(65536);
    // SAFETY: dl_iterate_phdr passes a valid description, whose headers live as long as it does.
    let (base, headers) = unsafe {
        let info = &*info;
        let headers = std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum));
        (info.dlpi_addr, headers)
    };
    for header in headers {
        let is_code = header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_X != 0;
        if !is_code || header.p_flags & libc::PF_W != 0 {
            continue;
        }
        let start = base.wrapping_add(header.p_vaddr);
        let (Ok(start), Ok(length)) = (usize::try_from(start), usize::try_from(header.p_memsz))
        else {
            continue;
        };
        let whole = start & !(page - 1);
        // SAFETY: the pages are a mapping of the program's file that nothing can have written to,
        // so that each is read again as it is.
        unsafe {
            libc::madvise(
                std::ptr::without_provenance_mut(whole),
                start - whole + length,
                libc::MADV_DONTNEED,
            );
        }
    }
    STOP
}
