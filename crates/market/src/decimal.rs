//! Prices and sizes: decimals kept exactly as they were written, never through a float.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A decimal number that remembers its scale: `0.2500` stays `0.2500`, and equals `0.25`.
///
/// Holds up to 28 significant digits (96-bit mantissa) and a scale up to 28, which covers the
/// finest ticks (1e-13) and the largest sizes (1e15) that venues list. Comparison and hashing go
/// by value; [`fmt::Display`] gives the text as written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Decimal(rust_decimal::Decimal);

/// The longest text of a 64-bit mantissa: 20 digits, or 28 after a zero and the point.
const TEXT_BYTES: usize = 32;

/// Bytes that are looked at together; nearly all numbers of venues are shorter.
const WINDOW: usize = 16;

/// Digits that surely fit 64 bits.
const UNITS_DIGITS: usize = 18;

/// Why a text is no [`Decimal`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Something other than an optional minus, digits, and at most one point between digits.
    #[error("\"{0}\" is not a decimal number such as 64000.10")]
    Malformed(String),
    /// More digits than a mantissa of 96 bits and a scale of 28 can hold.
    #[error("\"{0}\" has more digits than can be kept exactly (28)")]
    TooManyDigits(String),
}

impl Decimal {
    /// Zero, with scale 0.
    pub const ZERO: Self = Self(rust_decimal::Decimal::ZERO);

    /// `mantissa × 10^-scale`, or `None` when it does not fit (see [`Decimal`]).
    #[must_use]
    pub fn new(mantissa: i64, scale: u32) -> Option<Self> {
        rust_decimal::Decimal::try_new(mantissa, scale).ok().map(Self)
    }

    /// Reads plain decimal notation: `-?digits[.digits]`. No exponent, no plus, no spaces.
    ///
    /// # Errors
    /// [`DecimalError`] says whether the text is malformed or only too long to keep exactly.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        match Self::leading(text.as_bytes()) {
            Some((value, length)) if length == text.len() => Ok(value),
            _ => Self::parse_any(text),
        }
    }

    /// The plain decimal that `bytes` begin with, as far as its digits go, and how many bytes it
    /// takes: what [`Decimal::parse`] makes of those bytes, found without knowing where they end.
    ///
    /// `None` says nothing but that this quick way does not apply: there may be no number, or one
    /// of more than 18 digits. What follows the number is for the caller to judge.
    #[must_use]
    #[inline(always)]
    pub fn leading(bytes: &[u8]) -> Option<(Self, usize)> {
        if let Some(window) = bytes.first_chunk() {
            return Self::in_window(*window).or_else(|| Self::digit_by_digit(bytes));
        }
        Self::leading_of_few(bytes)
    }

    /// As [`Decimal::leading`], near the end of a text: the rest of the window is filled with what
    /// is no digit.
    fn leading_of_few(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut window = [0; WINDOW];
        window[..bytes.len()].copy_from_slice(bytes);
        Self::in_window(window).or_else(|| Self::digit_by_digit(bytes))
    }

    /// A number without sign that ends within the window, all its digits at once. The window's
    /// bytes are the bytes of one integer, first byte lowest.
    #[inline(always)]
    fn in_window(window: [u8; WINDOW]) -> Option<(Self, usize)> {
        // A digit becomes its value. Of all other bytes, adding 0x76 (or nothing, from 0x80 on)
        // sets the highest bit. The sum runs over into the next byte from non-ASCII bytes only,
        // so up to the first byte that is no digit all marks are right; a point is ASCII.
        let values = u128::from_le_bytes(window) ^ repeated(b'0');
        let marks = (values.wrapping_add(repeated(0x76)) | values) & repeated(0x80);
        let first = marks.trailing_zeros() / 8;
        let (digits, length, scale) = if window.get(first as usize) == Some(&b'.') {
            let end = (marks & (marks - 1)).trailing_zeros() / 8;
            let before = (1 << (8 * first)) - 1;
            let digits = (values & before) | ((values >> 8) & !before);
            (digits, end, end - first - 1)
        } else {
            (values, first, 0)
        };
        let count = length - u32::from(scale > 0);
        // A point needs digits on both sides, and the end must be in sight.
        if count == 0 || first == 0 || length >= WINDOW as u32 || length == first + 1 {
            return None;
        }
        // Leading zeros in place of what follows the number.
        let digits = digits << (8 * (WINDOW as u32 - count));
        let high = eight_digits(digits as u64);
        let low = eight_digits((digits >> 64) as u64);
        Some((Self::from_units(high * 100_000_000 + low, scale, false), length as usize))
    }

    /// As [`Decimal::leading`], for what does not fit a window.
    #[cold]
    fn digit_by_digit(bytes: &[u8]) -> Option<(Self, usize)> {
        let negative = bytes.first() == Some(&b'-');
        let start = usize::from(negative);
        let (mut at, mut units, mut point) = (start, 0_u64, None);
        loop {
            match bytes.get(at) {
                Some(digit @ b'0'..=b'9') => units = units * 10 + u64::from(digit - b'0'),
                Some(b'.') if point.is_none() && at > start => point = Some(at),
                _ => break,
            }
            at += 1;
            if at - start > UNITS_DIGITS + usize::from(point.is_some()) {
                return None;
            }
        }
        let scale = point.map_or(0, |point| at - point - 1);
        if at == start || (point.is_some() && scale == 0) {
            return None;
        }
        Some((Self::from_units(units, scale as u32, negative), at))
    }

    /// `units × 10^-scale`; `scale` is at most [`UNITS_DIGITS`]. A negative zero becomes zero.
    #[inline]
    fn from_units(units: u64, scale: u32, negative: bool) -> Self {
        let (low, middle) = (units as u32, (units >> 32) as u32);
        Self(rust_decimal::Decimal::from_parts(low, middle, 0, negative, scale))
    }

    /// Reads whatever [`Decimal::parse`] may be given.
    #[cold]
    fn parse_any(text: &str) -> Result<Self, DecimalError> {
        let shown = || text.chars().take(64).collect::<String>();
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(fraction) {
            return Err(DecimalError::Malformed(shown()));
        }
        rust_decimal::Decimal::from_str_exact(text)
            .map(|value| Self(if value.is_zero() { value.abs() } else { value }))
            .map_err(|_| DecimalError::TooManyDigits(shown()))
    }

    /// True for any zero: `0`, `0.000`.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// True below zero.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.0.is_sign_negative() && !self.0.is_zero()
    }

    /// True above zero.
    #[must_use]
    #[inline]
    pub fn is_positive(self) -> bool {
        // The bits are looked at; a comparison with another scale would cost as much as a parse.
        self.0.is_sign_positive() && !self.0.is_zero()
    }

    /// Digits after the point, as written.
    #[must_use]
    pub fn scale(self) -> u32 {
        self.0.scale()
    }

    /// The same value written with `scale` digits after the point where that is exact, else with
    /// the fewest digits that are. Two equal values always come out as the same text.
    #[must_use]
    pub fn at_scale(self, scale: u32) -> Self {
        if self.0.scale() == scale {
            return self;
        }
        let mut exact = self.0;
        exact.rescale(scale);
        if exact.scale() == scale && exact == self.0 {
            Self(exact)
        } else {
            Self(self.0.normalize())
        }
    }

    /// Exact sum, or `None` on overflow.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Exact difference, or `None` on overflow.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Hands the text as written, which is ASCII, to `then`; allocates for the longest only.
    pub fn with_ascii<T>(self, then: impl FnOnce(&[u8]) -> T) -> T {
        let mantissa = self.0.mantissa().unsigned_abs();
        let scale = self.0.scale() as usize;
        let (Ok(mantissa), false) = (u64::try_from(mantissa), self.0.is_sign_negative()) else {
            // Rare enough to take the slow way.
            return then(self.0.to_string().as_bytes());
        };
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(mantissa).as_bytes();
        // A zero before the point, the point, and zeros up to the scale.
        let mut text = [b'0'; TEXT_BYTES];
        let whole = digits.len().saturating_sub(scale);
        let length = if scale == 0 {
            text[..whole].copy_from_slice(digits);
            whole
        } else {
            let before = whole.max(1);
            text[before - whole..before].copy_from_slice(&digits[..whole]);
            text[before] = b'.';
            let length = before + 1 + scale;
            text[length - (digits.len() - whole)..length].copy_from_slice(&digits[whole..]);
            length
        };
        then(&text[..length])
    }

    /// Writes the digits of the number as written, without sign, point and leading zeros, so that
    /// they end before `end`: what a book checksum is made of. At most 29 bytes. Gives where they
    /// begin.
    pub(crate) fn write_digits_before(self, text: &mut [u8], end: usize) -> usize {
        let parts = self.0.unpack();
        let mut at = end;
        let mut put = |digits: &[u8]| {
            at -= digits.len();
            text[at..at + digits.len()].copy_from_slice(digits);
        };
        if parts.hi > 0 {
            put(itoa::Buffer::new().format(self.0.mantissa().unsigned_abs()).as_bytes());
            return at;
        }
        let mut rest = (u64::from(parts.mid) << 32) | u64::from(parts.lo);
        while rest >= 10 {
            put(&PAIRS[(rest % 100) as usize]);
            rest /= 100;
        }
        // Zero is nothing but leading zeros.
        if rest > 0 {
            put(&[b'0' + rest as u8]);
        }
        at
    }

    /// How many units of `10^-scale` this is, where that is whole and fits. Of numbers at one
    /// scale this compares as they do, and quicker.
    pub(crate) fn units(self, scale: u32) -> Option<i64> {
        let mantissa = i64::try_from(self.0.mantissa()).ok()?;
        match scale.checked_sub(self.0.scale())? {
            0 => Some(mantissa),
            up => mantissa.checked_mul(10i64.checked_pow(up)?),
        }
    }
}

/// The digits of 0 to 99, two for each.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut at = 0;
    while at < pairs.len() {
        pairs[at] = [b'0' + at as u8 / 10, b'0' + at as u8 % 10];
        at += 1;
    }
    pairs
};

/// Sixteen times the same byte.
const fn repeated(byte: u8) -> u128 {
    u128::from_le_bytes([byte; WINDOW])
}

/// The number of eight decimal digits, given as the bytes of `digits`, the first one lowest:
/// neighbours are joined to pairs, those to fours, those to eight.
#[inline]
fn eight_digits(digits: u64) -> u64 {
    let pairs = (digits.wrapping_mul(10 * 0x100 + 1) >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs.wrapping_mul(100 * 0x1_0000 + 1) >> 16) & 0x0000_FFFF_0000_FFFF;
    fours.wrapping_mul(10_000 * 0x1_0000_0000 + 1) >> 32
}

impl Ord for Decimal {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = (self.0.unpack(), other.0.unpack());
        // The usual case: the prices of one book are written alike, and fit 64 bits.
        let short = left.hi | right.hi == 0 && !(left.negative | right.negative);
        if left.scale == right.scale && short {
            (left.mid, left.lo).cmp(&(right.mid, right.lo))
        } else {
            self.0.cmp(&other.0)
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn text_survives_as_written() {
        for text in ["0", "64000.10", "0.00005100", "-3.50", "0.0000000000001", "1000000000000000"]
        {
            assert_eq!(decimal(text).to_string(), text);
        }
    }

    #[test]
    fn equality_is_by_value() {
        assert_eq!(decimal("1.50"), decimal("1.5"));
        assert!(decimal("1.5") < decimal("1.51"));
        assert_eq!(decimal("-0.0").to_string(), "0.0");
    }

    #[test]
    fn what_is_no_plain_decimal_is_refused() {
        for text in ["", "-", ".", "1.", ".5", "+1", "1e5", " 1", "1_000", "NaN", "0x1", "1.2.3"] {
            assert!(matches!(Decimal::parse(text), Err(DecimalError::Malformed(_))), "{text}");
        }
        let long = "1".repeat(40);
        assert!(matches!(Decimal::parse(&long), Err(DecimalError::TooManyDigits(_))));
        let fine = format!("0.{}1", "0".repeat(40));
        assert!(matches!(Decimal::parse(&fine), Err(DecimalError::TooManyDigits(_))));
    }

    #[test]
    fn one_scale_gives_one_text() {
        assert_eq!(decimal("64000.1").at_scale(2).to_string(), "64000.10");
        assert_eq!(decimal("64000.100").at_scale(2).to_string(), "64000.10");
        assert_eq!(decimal("64000.125").at_scale(2).to_string(), "64000.125");
        assert_eq!(decimal("64000.1250").at_scale(2).to_string(), "64000.125");
    }

    #[test]
    fn a_number_ends_where_its_digits_end() {
        for (text, number, length) in [
            ("64000.10\",\"0.25\"]", "64000.10", 8),
            ("1", "1", 1),
            ("0.00005100", "0.00005100", 10),
            ("12345678901234.5,[", "12345678901234.5", 16),
            ("-3.50 ", "-3.50", 5),
            ("-0.00\"", "0.00", 5),
            ("123456789012345678}", "123456789012345678", 18),
            ("0.12345678901234567]", "0.12345678901234567", 19),
            ("1.2.3", "1.2", 3),
            ("7e5", "7", 1),
        ] {
            let (value, taken) = Decimal::leading(text.as_bytes()).unwrap();
            assert_eq!((value.to_string().as_str(), taken), (number, length), "{text}");
        }
        for text in ["", "-", ".5", "1.", "1.\"", "\"1", "+1", "1234567890123456789", "1.x"] {
            assert_eq!(Decimal::leading(text.as_bytes()), None, "{text}");
        }
    }

    /// Number-like texts: short ones, those about a window long, and those too long.
    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            3 => "-?[0-9]{0,19}(\\.[0-9]{0,19})?",
            2 => "-?[0-9]{1,10}\\.[0-9]{1,10}",
            1 => "-?0{0,10}(\\.0{0,29})?",
            1 => "[-0-9.e+ é\u{80}\u{7ff}]{0,20}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn the_quick_way_gives_what_the_slow_one_gives(text in texts(), after in "[\",:} 5.é]{0,17}") {
            let slow = Decimal::parse_any(&text);
            let bits = |value: &Result<Decimal, _>| value.as_ref().map(|v| v.0.serialize()).ok();
            prop_assert_eq!(bits(&Decimal::parse(&text)), bits(&slow));
            prop_assert_eq!(Decimal::parse(&text).err(), slow.err());
            // Whatever follows, what was read is what that part alone would give.
            let both = text + &after;
            if let Some((value, length)) = Decimal::leading(both.as_bytes()) {
                prop_assert_eq!(Some(value.0.serialize()), bits(&Decimal::parse_any(&both[..length])));
                let next = both.as_bytes().get(length);
                prop_assert!(!next.is_some_and(u8::is_ascii_digit));
            }
        }
    }

    proptest! {
        #[test]
        fn any_written_number_comes_back(
            mantissa in prop_oneof![any::<i64>(), -1_000i64..1_000],
            scale in 0u32..=28,
        ) {
            let value = Decimal::new(mantissa, scale).unwrap();
            let text = value.to_string();
            prop_assert_eq!(value.with_ascii(<[u8]>::to_vec), text.as_bytes());
            prop_assert_eq!(Decimal::parse(&text).unwrap().to_string(), text.clone());
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            let mut room = [b'x'; 40];
            let at = value.write_digits_before(&mut room, 35);
            prop_assert_eq!(&room[at..35], digits.trim_start_matches('0').as_bytes());
            prop_assert!(room[..at].iter().chain(&room[35..]).all(|byte| *byte == b'x'));
        }

        #[test]
        fn order_and_units_are_those_of_the_value(
            (a, b) in (-1_000i64..1_000, -1_000i64..1_000),
            (a_scale, b_scale) in (0u32..4, 0u32..4),
        ) {
            let (left, right) = (Decimal::new(a, a_scale).unwrap(), Decimal::new(b, b_scale).unwrap());
            prop_assert_eq!(left.cmp(&right), left.0.cmp(&right.0));
            prop_assert_eq!(left == right, left.cmp(&right).is_eq());
            prop_assert_eq!(left.units(3), Some(a * 10i64.pow(3 - a_scale)));
            let scale = a_scale.max(b_scale);
            prop_assert_eq!(left.units(scale).cmp(&right.units(scale)), left.cmp(&right));
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            drop(Decimal::parse(&text));
        }
    }
}
