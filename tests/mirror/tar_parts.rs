//! An archive taken apart, for tests that change it and join it again.

/// One file of an archive: its name, kind and content.
pub(crate) type Part = (String, u8, Vec<u8>);

pub(crate) fn parts(mut bytes: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    while bytes[0] != 0 {
        let text = |from: usize, to: usize| {
            let field = &bytes[from..to];
            let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
            String::from_utf8(field[..end].to_vec()).unwrap()
        };
        let size = usize::from_str_radix(&text(124, 136), 8).unwrap();
        let name = match text(345, 500).as_str() {
            "" => text(0, 100),
            prefix => format!("{prefix}/{}", text(0, 100)),
        };
        parts.push((name, bytes[156], bytes[512..512 + size].to_vec()));
        bytes = &bytes[512 + size.next_multiple_of(512)..];
    }
    parts
}

pub(crate) fn joined(parts: &[Part]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, kind, content) in parts {
        let mut block = [0; 512];
        assert!(name.len() <= 100, "{name}");
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[100..108].copy_from_slice(b"0000644\0");
        block[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        block[148..156].copy_from_slice(b"        ");
        block[156] = *kind;
        block[157..163].copy_from_slice(b"target");
        block[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend(block);
        out.extend(content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// The part of this name.
pub(crate) fn part<'p>(parts: &'p mut [Part], end: &str) -> &'p mut Part {
    let found = parts.iter_mut().find(|(name, ..)| name.ends_with(end));
    found.unwrap_or_else(|| panic!("no {end}"))
}
