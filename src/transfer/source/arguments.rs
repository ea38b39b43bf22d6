//! What a PATH argument is called at the receiver.

use std::ffi::OsStr;
use std::path::{Component, Path};

/// The name under which `path` arrives; `None`: its contents arrive without a directory around them.
pub(super) fn name_of(path: &Path) -> Option<&OsStr> {
    if ends_with_dot(path) {
        return None;
    }
    match path.components().next_back() {
        Some(Component::Normal(name)) => Some(name),
        _ => None,
    }
}

/// `dir/.`: `Path` makes no difference between this and `dir`, people do.
fn ends_with_dot(path: &Path) -> bool {
    let is_separator = |&b: &u8| b == b'/' || (cfg!(windows) && b == b'\\');
    let bytes = path.as_os_str().as_encoded_bytes();
    let end = bytes.iter().rposition(|b| !is_separator(b));
    match end.map(|end| &bytes[..=end]) {
        Some([.., before, b'.']) => is_separator(before),
        Some([b'.']) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_component_names_it_unless_there_is_none() {
        for (path, name) in [
            ("dir", Some("dir")),
            ("dir/", Some("dir")),
            ("dir//", Some("dir")),
            ("some/dir", Some("dir")),
            ("/some/dir", Some("dir")),
            ("../dir", Some("dir")),
            ("x/../dir", Some("dir")),
            ("..dir", Some("..dir")),
            ("dir.", Some("dir.")),
            (".", None),
            ("./", None),
            ("..", None),
            ("../..", None),
            ("dir/.", None),
            ("dir/./", None),
            ("dir/..", None),
            ("/", None),
        ] {
            assert_eq!(name_of(Path::new(path)), name.map(OsStr::new), "{path}");
        }
    }
}
