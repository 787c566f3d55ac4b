//! Times, sizes and numbers are read back as they were shown.

use std::time::Duration;

use crate::config::quantity::{
    parse_number, parse_size, parse_time, show_number, show_size, show_time,
};

#[test]
fn what_is_shown_is_read_back() {
    let interesting = [0, 1, 2, 59, 60, 999, 1_000, 1_001, 1_024, 60_000, 90_000, 3_600_000];
    let powers = (0..50).map(|shift| 1_u64 << shift);
    for number in interesting.into_iter().chain(powers) {
        assert_eq!(parse_size(&show_size(number)), Ok(number));
        assert_eq!(parse_number(&show_number(&number.to_string())), Ok(number));
        let time = Duration::from_millis(number);
        assert_eq!(parse_time(&show_time(time)), Ok(time));
    }
}

#[test]
fn the_largest_whole_unit_is_shown() {
    for (bytes, shown) in [(0, "0B"), (1_000, "1000B"), (1_536, "1536B"), (65_536, "64KiB")] {
        assert_eq!(show_size(bytes), shown);
    }
    for (millis, shown) in [(0, "0s"), (1_500, "1500ms"), (20_000, "20s"), (600_000, "10m")] {
        assert_eq!(show_time(Duration::from_millis(millis)), shown);
    }
    for (number, shown) in [("1000", "1000"), ("10000", "10_000"), ("1234567", "1_234_567")] {
        assert_eq!(show_number(number), shown);
    }
}

#[test]
fn every_way_to_write_a_quantity() {
    assert_eq!(parse_time(" 20 s "), Ok(Duration::from_secs(20)));
    assert_eq!(parse_size("4_096"), Ok(4_096));
    assert_eq!(parse_size("1 MiB"), Ok(1 << 20));
    assert_eq!(parse_number("1_000_000"), Ok(1_000_000));
}

#[test]
fn what_is_wrong_is_named() {
    let time = |text| parse_time(text).unwrap_err();
    assert_eq!(time("20"), "a time needs a unit, such as \"20s\"");
    assert_eq!(time("20sec"), "\"sec\" is none of the units ms, s, m, h");
    assert_eq!(time("1.5s"), "only whole numbers, so take a smaller unit");
    for empty in ["", "s", "-5s", "_1s", "1__0s", "1_s"] {
        assert_eq!(time(empty), "does not begin with a whole number", "{empty:?}");
    }
    assert_eq!(time("18446744073709551615h"), "too large");
    assert_eq!(time("99999999999999999999s"), "too large");
    assert_eq!(parse_size("1MB").unwrap_err(), "\"MB\" is none of the units B, KiB, MiB, GiB");
    assert_eq!(parse_number("12x").unwrap_err(), "\"x\" does not belong to a whole number");
}
