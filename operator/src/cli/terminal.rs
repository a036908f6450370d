//! Colours, for a terminal only.

use std::{env, io::IsTerminal};

/// Puts colours into text, or leaves it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    coloured: bool,
}

/// A colour, by its number among the control sequences that every terminal understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Wrong, or taken away.
    Red = 31,
    /// Right, or added.
    Green = 32,
    /// Not known, or on its way.
    Yellow = 33,
    /// Where something is.
    Cyan = 36,
    /// What stands out.
    Bold = 1,
    /// What stands back.
    Dim = 2,
}

impl Palette {
    /// No colours.
    pub const PLAIN: Self = Self { coloured: false };
    /// Colours.
    pub const COLOURED: Self = Self { coloured: true };

    /// Colours if standard output is a terminal whose user does not refuse them (<https://no-color.org>).
    pub fn of_standard_output() -> Self {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self {
            coloured: !refused && std::io::stdout().is_terminal(),
        }
    }

    /// `text` in a colour.
    pub fn paint(self, colour: Colour, text: &str) -> String {
        if self.coloured && !text.is_empty() {
            format!("\u{1b}[{}m{text}\u{1b}[0m", colour as u8)
        } else {
            text.to_owned()
        }
    }
}

/// `text` without anything that a terminal would obey: what others wrote into a cluster is shown, not
/// carried out. Line breaks become spaces.
pub fn harmless(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\r' | '\t' => ' ',
            other if other.is_control() => '\u{fffd}',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents: an event's or a condition's text that moves the cursor or retitles the window.
    #[test]
    fn control_sequences_do_not_reach_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\nc\u{7}é"), "a\u{fffd}[2Jb c\u{fffd}é");
        assert_eq!(Palette::PLAIN.paint(Colour::Red, "a"), "a");
        assert_eq!(Palette::COLOURED.paint(Colour::Red, "a"), "\u{1b}[31ma\u{1b}[0m");
    }
}
