//! A text as a QR code of characters, for the camera of whoever would rather not type.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// Dark on light, whatever the terminal's colours are: half-block characters, two rows in a line, with the quiet zone
/// that ISO/IEC 18004 wants. Empty if the text does not fit into one.
pub(super) fn text(text: &str) -> String {
    let Ok(code) = QrCode::new(text) else {
        return String::new();
    };
    let drawn = code
        .render::<Dense1x2>()
        // A terminal is dark more often than not: what is light has to be drawn.
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .quiet_zone(true)
        .build();
    format!("{drawn}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_fits_into_a_small_square() {
        let drawn = text("417-amber-falcon-river");
        let lines: Vec<&str> = drawn.lines().collect();
        let width = lines[0].chars().count();
        assert!(
            lines.iter().all(|line| line.chars().count() == width),
            "{drawn}"
        );
        // Version 2 has 25 modules a side, and 4 of the quiet zone around.
        assert_eq!((width, lines.len()), (33, 17));
        // The quiet zone is light.
        assert!(lines[0].chars().all(|c| c == '█'), "{drawn}");
        assert!(drawn.chars().all(|c| " \n▀▄█".contains(c)), "{drawn}");
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        assert_eq!(text(&"x".repeat(10_000)), "");
    }
}
