//! Charts as SVG: drawn here, so that a page needs no network and follows its reader's colours.
//!
//! Colours, dashes and sizes of text are the page's style; a chart only names their classes.

pub mod axis;
pub mod bar;
pub mod lines;

/// Width of every chart in its own units; the page scales it.
pub const WIDTH: f64 = 480.0;
/// The widest that a letter of a label gets, on a narrow screen.
pub const LETTER: f64 = 7.4;

/// `text` for HTML and SVG, in content and in quoted attributes.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Room that `text` needs beside or below an axis.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "labels are short")]
pub fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * LETTER
}

/// The head of an SVG with what it says to those who do not see it.
fn open(id: &str, height: f64, title: &str, description: &str) -> String {
    format!(
        "<svg class=\"chart\" id=\"{id}\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-labelledby=\"{id}-title {id}-description\">\n\
         <title id=\"{id}-title\">{}</title>\n<desc id=\"{id}-description\">{}</desc>\n",
        escape(title),
        escape(description)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_special_is_escaped() {
        assert_eq!(escape("<a b='c'>\"&\""), "&lt;a b=&#39;c&#39;&gt;&quot;&amp;&quot;");
    }
}
