//! The words of a code phrase: 256 of them, so that each is worth 8 bits.
//!
//! Four to eight letters, told apart by the first three, none that sounds like another one or has two spellings:
//! they are read over a telephone.

/// The list, in alphabetical order.
#[rustfmt::skip]
pub(super) const WORDS: [&str; 256] = [
    "abbey", "acorn", "actor", "adult", "agent", "album", "amber", "anvil", "apple", "aspen",
    "atlas", "audio", "axle", "azure", "bacon", "bagel", "baker", "banjo", "berry", "boat", "bugle",
    "cabin", "camel", "cedar", "cello", "chalk", "comet", "coral", "daisy", "delta", "eagle",
    "echo", "elbow", "ember", "fern", "finger", "fisher", "flute", "focus", "folder", "forest",
    "fossil", "frost", "fudge", "funnel", "fuzzy", "gadget", "galaxy", "garden", "gecko", "geyser",
    "ginger", "globe", "goblet", "gravel", "guitar", "hammer", "harbor", "hazel", "helmet",
    "hermit", "honey", "hotel", "hummus", "icon", "igloo", "indigo", "insect", "island", "ivory",
    "jacket", "jaguar", "jelly", "jester", "jewel", "jigsaw", "jockey", "jungle", "kayak", "kennel",
    "kernel", "kettle", "kiosk", "kitten", "koala", "label", "ladder", "lagoon", "laptop", "lemon",
    "lentil", "letter", "lilac", "linen", "lizard", "locket", "lotus", "lumber", "magnet", "mango",
    "maple", "marble", "matrix", "meadow", "melon", "mentor", "mildew", "mirror", "mitten",
    "monkey", "mosaic", "motor", "muffin", "museum", "napkin", "nebula", "nectar", "needle",
    "nephew", "nickel", "noodle", "novel", "nugget", "nutmeg", "oasis", "ocean", "olive", "onion",
    "opera", "orange", "orbit", "orchid", "otter", "oven", "oxygen", "oyster", "paddle", "pagoda",
    "palace", "panda", "paper", "parrot", "pasta", "patio", "peanut", "pebble", "pencil", "pepper",
    "petal", "piano", "picnic", "pigeon", "pirate", "pocket", "potato", "powder", "prism", "puddle",
    "puppet", "puzzle", "quartz", "quilt", "rabbit", "radar", "raven", "recipe", "relay", "remote",
    "rescue", "ribbon", "river", "robin", "rocket", "rodeo", "rubber", "rudder", "rumble", "sable",
    "saddle", "safari", "sailor", "salmon", "sandal", "saucer", "scarf", "school", "seesaw",
    "shadow", "silver", "singer", "siren", "sketch", "sled", "soccer", "sofa", "solar", "sonnet",
    "spider", "squash", "stable", "sugar", "sunset", "syrup", "tablet", "tackle", "tailor",
    "talent", "tango", "target", "tavern", "teapot", "temple", "tennis", "ticket", "tiger",
    "timber", "token", "tomato", "topaz", "tower", "tuba", "tulip", "tundra", "turtle", "tuxedo",
    "uncle", "utopia", "vacuum", "valley", "velvet", "vendor", "vessel", "video", "violin", "viper",
    "voyage", "waffle", "wagon", "walnut", "wedge", "whale", "willow", "window", "wisdom", "wizard",
    "wombat", "wonder", "yacht", "yellow", "yodel", "yogurt", "zebra", "zenith", "zigzag", "zipper",
    "zodiac",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_known_by_its_first_three_letters() {
        for pair in WORDS.windows(2) {
            assert!(pair[0][..3] < pair[1][..3], "{pair:?}");
        }
        for word in WORDS {
            assert!((4..=8).contains(&word.len()), "{word}");
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()), "{word}");
        }
    }
}
