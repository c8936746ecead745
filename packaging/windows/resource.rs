//! Resources of a Windows program as a COFF object. By Microsoft's "PE Format" (its `.rsrc`
//! section), "ICO file" and `VS_VERSIONINFO`. Pure.

/// The processor that the program is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    /// `IMAGE_FILE_MACHINE_…`
    number: u16,
    /// "The address without the image base": `IMAGE_REL_…_ADDR32NB`
    relocation: u16,
}

impl Machine {
    /// By Rust's name for it.
    pub(crate) fn of(arch: &str) -> Option<Machine> {
        let (number, relocation) = match arch {
            "x86_64" => (0x8664, 3),
            "aarch64" => (0xaa64, 2),
            "x86" => (0x014c, 7),
            _ => return None,
        };
        Some(Machine { number, relocation })
    }
}

/// What goes in.
pub(crate) struct Parts<'a> {
    /// An .ico file.
    pub(crate) icons: &'a [u8],
    /// A manifest.
    pub(crate) manifest: &'a [u8],
    /// Major, minor, patch.
    pub(crate) version: [u16; 3],
    /// As people write it.
    pub(crate) version_text: &'a str,
}

/// One resource: its type and its number, and its bytes.
pub(crate) struct Resource {
    kind: u32,
    id: u32,
    bytes: Vec<u8>,
}

const ICON: u32 = 3;
const GROUP_ICON: u32 = 14;
const VERSION: u32 = 16;
const MANIFEST: u32 = 24;
/// English (United States), which Windows falls back to.
const LANGUAGE: u32 = 0x0409;

/// All of them, sorted by type and number as the format wants it.
pub(crate) fn resources(parts: &Parts<'_>) -> Vec<Resource> {
    let mut resources = icons(parts.icons);
    let mut add = |kind, bytes| resources.push(Resource { kind, id: 1, bytes });
    add(VERSION, version(parts));
    add(MANIFEST, parts.manifest.to_vec());
    resources.sort_by_key(|resource| (resource.kind, resource.id));
    resources
}

/// An .ico file is a list of images; in a program each is a resource, and the list another one,
/// with numbers where the file has offsets.
fn icons(file: &[u8]) -> Vec<Resource> {
    let count = file
        .get(4..6)
        .map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
    let mut group = file.get(..6).unwrap_or_default().to_vec();
    let mut resources = Vec::new();
    for number in 1..=u32::from(count) {
        let at = 6 + (number as usize - 1) * 16;
        let Some(entry) = file.get(at..at + 16) else {
            break;
        };
        let word = |at: usize| {
            let bytes = [entry[at], entry[at + 1], entry[at + 2], entry[at + 3]];
            u32::from_le_bytes(bytes) as usize
        };
        let Some(image) = file.get(word(12)..word(12) + word(8)) else {
            break;
        };
        group.extend(&entry[..12]);
        group.extend((number as u16).to_le_bytes());
        resources.push(Resource {
            kind: ICON,
            id: number,
            bytes: image.to_vec(),
        });
    }
    resources.push(Resource {
        kind: GROUP_ICON,
        id: 1,
        bytes: group,
    });
    resources
}

fn version(parts: &Parts<'_>) -> Vec<u8> {
    let [major, minor, patch] = parts.version;
    let mut fixed = Vec::new();
    let high = u32::from(major) << 16 | u32::from(minor);
    let low = u32::from(patch) << 16;
    // Signature, its version, the file's version, the product's; mask of flags, none of them;
    // Windows NT; a program; no subtype, no date.
    let words = [
        0xfeef_04bd,
        0x0001_0000,
        high,
        low,
        high,
        low,
        0x3f,
        0,
        0x0004_0004,
        1,
        0,
        0,
        0,
    ];
    for word in words {
        fixed.extend(u32::to_le_bytes(word));
    }
    let strings = [
        // Task Manager and Settings call a start-up item by this.
        ("FileDescription", "goroam"),
        ("ProductName", "goroam"),
        ("InternalName", "goroam-tray"),
        ("OriginalFilename", "goroam-tray.exe"),
        ("LegalCopyright", "MIT OR Apache-2.0"),
        ("FileVersion", parts.version_text),
        ("ProductVersion", parts.version_text),
    ];
    let strings = strings.map(|(name, text)| {
        let units: Vec<u8> = units(text);
        block(name, true, &units, &[])
    });
    let table = block("040904b0", true, &[], &strings);
    let info = block("StringFileInfo", true, &[], &[table]);
    // US English, UTF-16.
    let translation = block("Translation", false, &[0x09, 0x04, 0xb0, 0x04], &[]);
    let variables = block("VarFileInfo", true, &[], &[translation]);
    block("VS_VERSION_INFO", false, &fixed, &[info, variables])
}

/// Length, length of the value (of a text in units), is it a text, key, value, children; each
/// part from a multiple of four on.
fn block(key: &str, text: bool, value: &[u8], children: &[Vec<u8>]) -> Vec<u8> {
    let value_length = if text { value.len() / 2 } else { value.len() };
    let mut bytes = vec![0, 0];
    bytes.extend((value_length as u16).to_le_bytes());
    bytes.extend(u16::from(text).to_le_bytes());
    bytes.extend(units(key));
    pad(&mut bytes);
    bytes.extend(value);
    for child in children {
        pad(&mut bytes);
        bytes.extend(child);
    }
    let length = (bytes.len() as u16).to_le_bytes();
    bytes[..2].copy_from_slice(&length);
    bytes
}

fn units(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().chain([0]);
    units.flat_map(u16::to_le_bytes).collect()
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// Bytes of a directory, of an entry in it, of what a leaf says of its data.
const DIRECTORY: usize = 16;
const ENTRY: usize = 8;
const LEAF: usize = 16;

/// The object: three levels of directories (type, number, language), the leaves, the data.
pub(crate) fn object(machine: Machine, resources: &[Resource]) -> Vec<u8> {
    let mut kinds: Vec<u32> = resources.iter().map(|resource| resource.kind).collect();
    kinds.dedup();
    let of = |kind: u32| {
        resources
            .iter()
            .filter(move |resource| resource.kind == kind)
    };
    let numbers_at = DIRECTORY + kinds.len() * ENTRY;
    let languages_at = numbers_at + kinds.len() * DIRECTORY + resources.len() * ENTRY;
    let leaves_at = languages_at + resources.len() * (DIRECTORY + ENTRY);
    let data_at = leaves_at + resources.len() * LEAF;

    let mut section = directory(kinds.len());
    let mut at = numbers_at;
    for kind in &kinds {
        entry(&mut section, *kind, at, true);
        at += DIRECTORY + of(*kind).count() * ENTRY;
    }
    let mut at = languages_at;
    for kind in &kinds {
        section.extend(directory(of(*kind).count()));
        for resource in of(*kind) {
            entry(&mut section, resource.id, at, true);
            at += DIRECTORY + ENTRY;
        }
    }
    for number in 0..resources.len() {
        section.extend(directory(1));
        entry(&mut section, LANGUAGE, leaves_at + number * LEAF, false);
    }
    let mut data = Vec::new();
    let mut relocations = Vec::new();
    for resource in resources {
        // The linker adds where the section comes to lie.
        relocations.push(section.len() as u32);
        for word in [data_at + data.len(), resource.bytes.len(), 0, 0] {
            section.extend((word as u32).to_le_bytes());
        }
        data.extend(&resource.bytes);
        pad(&mut data);
    }
    section.extend(data);
    file(machine, &section, &relocations)
}

fn directory(entries: usize) -> Vec<u8> {
    // Flags, date, version, entries with names: none.
    let mut bytes = vec![0; 14];
    bytes.extend((entries as u16).to_le_bytes());
    bytes
}

fn entry(section: &mut Vec<u8>, id: u32, at: usize, is_directory: bool) {
    let high = if is_directory { 0x8000_0000 } else { 0 };
    section.extend(id.to_le_bytes());
    section.extend((at as u32 | high).to_le_bytes());
}

/// One section, its relocations, and a symbol for it to relocate by.
fn file(machine: Machine, section: &[u8], relocations: &[u32]) -> Vec<u8> {
    const HEADERS: usize = 20 + 40;
    let relocations_at = HEADERS + section.len();
    let symbols_at = relocations_at + relocations.len() * 10;
    let mut bytes = Vec::new();
    bytes.extend(machine.number.to_le_bytes());
    bytes.extend(1_u16.to_le_bytes());
    for word in [0, symbols_at, 1] {
        bytes.extend((word as u32).to_le_bytes());
    }
    bytes.extend([0; 4]);

    bytes.extend(b".rsrc\0\0\0");
    for word in [0, 0, section.len(), HEADERS, relocations_at, 0] {
        bytes.extend((word as u32).to_le_bytes());
    }
    bytes.extend((relocations.len() as u16).to_le_bytes());
    bytes.extend(0_u16.to_le_bytes());
    // Initialized data, read, aligned to four bytes.
    bytes.extend(0x4030_0040_u32.to_le_bytes());

    bytes.extend(section);
    for at in relocations {
        bytes.extend(at.to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(machine.relocation.to_le_bytes());
    }
    // Value 0 in section 1, static, no more to it.
    bytes.extend(b".rsrc\0\0\0");
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(0_u16.to_le_bytes());
    bytes.extend([3, 0]);
    // An empty table of strings: its own length.
    bytes.extend(4_u32.to_le_bytes());
    bytes
}
