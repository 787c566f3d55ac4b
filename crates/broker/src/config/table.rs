//! What a row of the table of settings is, and the macros that turn rows into structs.

use super::raw::Raw;

/// One setting of `T`: what it is called, what it means, how it is read and shown.
pub(super) struct Setting<T: 'static> {
    /// The key inside its section.
    pub(super) key: &'static str,
    /// One sentence, with the unit.
    pub(super) doc: &'static str,
    /// What may be written, in words.
    pub(super) allowed: fn() -> String,
    /// Reads a value into `T`, or says what is wrong with it.
    pub(super) read: fn(&mut T, &Raw) -> Result<(), String>,
    /// The value in `T`, as TOML.
    pub(super) show: fn(&T) -> String,
}

/// A section of the file.
pub(super) struct Section<T: 'static> {
    /// The name in brackets.
    pub(super) name: &'static str,
    /// What the section is about.
    pub(super) doc: &'static str,
    /// Its settings, in the order in which they are shown.
    pub(super) settings: &'static [Setting<T>],
}

/// One struct of plain fields with its defaults. Not used on its own: see [`settings!`].
macro_rules! section_struct {
    (
        $(#[doc = $section_doc:literal])+ $name:ident
        { $($(#[doc = $doc:literal])+ $key:ident: $type:ty = $default:expr;)+ }
    ) => {
        $(#[doc = $section_doc])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name { $($(#[doc = $doc])+ pub $key: $type,)+ }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }
    };
}

/// One row: `$target` is the struct that `$place`, an expression in `$value`, is a field of.
macro_rules! setting_row {
    (
        $target:ty, $key:ident: $type:ty, $rule:expr, [$($doc:literal)+],
        |$value:ident| $place:expr
    ) => {
        $crate::config::table::Setting::<$target> {
            key: stringify!($key),
            doc: concat!($($doc),+).trim_ascii_start(),
            allowed: || $crate::config::rule::allowed::<$type, _>(&$rule),
            read: |$value, raw| {
                $place = $crate::config::rule::Rule::read(&$rule, raw)?;
                Ok(())
            },
            show: |$value| $crate::config::rule::show::<$type, _>(&$rule, &$place),
        }
    };
}

/// Makes, from rows `key: type = default, rule;`, a struct for each section, [`Config`] of them
/// all, and `SECTIONS`, the table itself.
///
/// [`Config`]: super::Config
macro_rules! settings {
    ($(
        $(#[doc = $section_doc:literal])+ [$section:ident] $name:ident
        { $($(#[doc = $doc:literal])+ $key:ident: $type:ty = $default:expr, $rule:expr;)+ }
    )+) => {
        $($crate::config::table::section_struct! {
            $(#[doc = $section_doc])+ $name
            { $($(#[doc = $doc])+ $key: $type = $default;)+ }
        })+

        /// Everything that can be set, checked.
        ///
        /// The default is what a broker without any configuration runs with.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Config {
            $($(#[doc = $section_doc])+ pub $section: $name,)+
            /// The feeds that are set up, whether or not [`Server::feeds`] lets them run.
            pub feeds: Vec<Feed>,
        }

        impl Default for Config {
            fn default() -> Self {
                Self { $($section: $name::default(),)+ feeds: default_feeds() }
            }
        }

        /// Every section but the feeds.
        pub(super) const SECTIONS: &[$crate::config::table::Section<Config>] =
            &[$($crate::config::table::Section {
                name: stringify!($section),
                doc: concat!($($section_doc),+).trim_ascii_start(),
                settings: &[$($crate::config::table::setting_row! {
                    Config, $key: $type, $rule, [$($doc)+], |config| config.$section.$key
                }),+],
            }),+];
    };
}

/// Makes the struct and the constant of a section that may be there many times, `[[name]]`.
macro_rules! tables {
    (
        $(#[doc = $section_doc:literal])+ [[$section:ident]] $name:ident
        { $($(#[doc = $doc:literal])+ $key:ident: $type:ty = $default:expr, $rule:expr;)+ }
    ) => {
        $crate::config::table::section_struct! {
            $(#[doc = $section_doc])+ $name
            { $($(#[doc = $doc])+ $key: $type = $default;)+ }
        }

        /// The section that may be there many times.
        pub(super) const FEED: $crate::config::table::Section<$name> =
            $crate::config::table::Section {
                name: stringify!($section),
                doc: concat!($($section_doc),+).trim_ascii_start(),
                settings: &[$($crate::config::table::setting_row! {
                    $name, $key: $type, $rule, [$($doc)+], |table| table.$key
                }),+],
            };
    };
}

pub(super) use {section_struct, setting_row, settings, tables};
