//! Numbers with an exponent, such as `1e-8`, read exactly: the point is moved, nothing is computed.

use market::Decimal;

/// Most digits, and most places the point is moved, that are looked at; a [`Decimal`] holds fewer.
const PLACES_MAX: usize = 64;

/// The decimal that `digits[.digits]e[sign]digits` writes, with `-` before it or not. `None` for
/// anything else, and where it does not fit a [`Decimal`].
///
/// `5.100e-5` has the digits as written and so many places as that takes: `0.00005100`.
#[must_use]
pub fn decimal(text: &str) -> Option<Decimal> {
    let (number, exponent) = text.split_once(['e', 'E'])?;
    let unsigned = number.strip_prefix('-').unwrap_or(number);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (unsigned, ""),
    };
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let power = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let too_long = text.len() > PLACES_MAX;
    if too_long || whole.is_empty() || power.is_empty() || !plain(whole) || !plain(fraction) {
        return None;
    }
    if !plain(power) {
        return None;
    }
    let moved: usize = power.parse().ok().filter(|moved| *moved <= PLACES_MAX)?;
    let digits = format!("{whole}{fraction}");
    let sign = if number.starts_with('-') { "-" } else { "" };
    let zeros = |count: usize| "0".repeat(count);
    let written = if exponent.starts_with('-') {
        match whole.len().checked_sub(moved) {
            Some(before @ 1..) if before < digits.len() => {
                format!("{sign}{}.{}", &digits[..before], &digits[before..])
            }
            Some(1..) => format!("{sign}{digits}"),
            _ => format!("{sign}0.{}{digits}", zeros(moved - whole.len())),
        }
    } else {
        let before = whole.len() + moved;
        if before < digits.len() {
            format!("{sign}{}.{}", &digits[..before], &digits[before..])
        } else {
            format!("{sign}{digits}{}", zeros(before - digits.len()))
        }
    };
    Decimal::parse(&written).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_point_is_moved_and_no_digit_is_lost() {
        for (text, plain) in [
            ("1e-8", "0.00000001"),
            ("5.100e-5", "0.00005100"),
            ("12.34e-1", "1.234"),
            ("12.34e-2", "0.1234"),
            ("1234e-2", "12.34"),
            ("7e0", "7"),
            ("7E-0", "7"),
            ("1.5e+3", "1500"),
            ("1.2345E3", "1234.5"),
            ("-2e-1", "-0.2"),
            ("0e-3", "0.000"),
        ] {
            let read = decimal(text).map(|value| value.to_string());
            assert_eq!(read.as_deref(), Some(plain), "{text}");
        }
    }

    #[test]
    fn what_is_no_such_number_or_does_not_fit_is_none() {
        for text in
            ["", "1", "e", "e5", "1e", "1e+", "1.e5", ".5e1", "1e1.5", "--1e1", "1e1e1", "+1e1"]
        {
            assert_eq!(decimal(text), None, "{text}");
        }
        for text in ["1e-40", "1e40", "1e999999999999999999999999", "1e-99"] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_is_the_number_times_a_power_of_ten(
            mantissa in -1_000_000i64..1_000_000,
            scale in 0u32..6,
            power in -8i32..6,
        ) {
            let Some(number) = Decimal::new(mantissa, scale) else { return Ok(()) };
            let read = decimal(&format!("{number}e{power}"));
            // 10^12 times it is whole, whatever the two are.
            let units = i128::from(mantissa) * 10i128.pow((14 + power - scale as i32) as u32);
            let expected = Decimal::parse(&whole_to_scale(units, 14)).ok();
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.eE]{0,80}") {
            prop_assert!(decimal(&text).is_none() || text.contains(['e', 'E']));
        }
    }

    /// `units × 10^-scale` in plain digits.
    fn whole_to_scale(units: i128, scale: usize) -> String {
        let digits = format!("{:0>width$}", units.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        format!("{}{whole}.{fraction}", if units < 0 { "-" } else { "" })
    }
}
