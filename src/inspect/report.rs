//! What was found, as data: the same for a table, for plain text and for JSON.
//!
//! A [`Report`] is about one subject and has sections. A section is a list of names and values or a table. Each value
//! is a [`Cell`]: a value with its unit, or the reason why there is none. `docs/json-events.md` has the schema.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::{BTreeMap, BTreeSet};

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use crate::core::options::form::Form;
use crate::core::options::missing::Missing;
use crate::core::options::value::Value;
use crate::core::timestamp::Timestamp;

/// A value, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// A value.
    Value {
        /// For programs.
        value: Scalar,
        /// What it counts.
        unit: Option<&'static str>,
        /// For people, if they are told something else.
        text: Option<String>,
    },
    /// None.
    Missing(Missing),
}

/// A value for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Signed(i64),
    /// A number that may need all 64 bits.
    Unsigned(u64),
    /// Text.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

impl Cell {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::of(Scalar::Text(text.into()), None)
    }

    /// Several texts, which people are shown behind each other.
    pub fn list(texts: impl IntoIterator<Item = String>) -> Self {
        Self::of(Scalar::List(texts.into_iter().collect()), None)
    }

    /// Yes or no.
    pub fn flag(value: bool) -> Self {
        Self::of(Scalar::Flag(value), None)
    }

    /// A number of something.
    pub fn count(value: u64, unit: Option<&'static str>) -> Self {
        Self::of(Scalar::Unsigned(value), unit)
    }

    /// The value, or why there is none.
    pub fn or_missing(value: Option<Cell>, why: Missing) -> Self {
        value.unwrap_or(Cell::Missing(why))
    }

    /// A value of an option.
    pub fn of_option(form: Form, value: &Value) -> Self {
        let scalar = match value {
            Value::Flag(on) => Scalar::Flag(*on),
            Value::Number(n)
                if !matches!(form, Form::Choice(_) | Form::Flags(_) | Form::Traffic) =>
            {
                Scalar::Signed(*n)
            }
            Value::Long(n) => Scalar::Unsigned(*n),
            Value::Time(Some(time)) => {
                Scalar::Unsigned(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
            }
            Value::Linger(Some(seconds)) => Scalar::Unsigned((*seconds).into()),
            _ => Scalar::Text(value.show(form)),
        };
        let unit = match scalar {
            Scalar::Text(_) | Scalar::Flag(_) => None,
            _ => form.unit(),
        };
        let mut text = value.show(form);
        match value {
            // Not a whole number of KiB.
            _ if unit == Some("bytes") && text.bytes().all(|b| b.is_ascii_digit()) => {
                text = counted(&text, "bytes");
            }
            Value::Text(name) if name.is_empty() => text.push_str("none"),
            Value::Bytes(bytes) if bytes.is_empty() => text = "none".into(),
            _ => {}
        }
        Cell::Value {
            value: scalar,
            unit,
            text: Some(text),
        }
    }

    /// What reading an option gave.
    pub fn of_reading(form: Form, reading: &Result<Value, Missing>) -> Self {
        match reading {
            Ok(value) => Self::of_option(form, value),
            Err(missing) => Cell::Missing(*missing),
        }
    }

    fn of(value: Scalar, unit: Option<&'static str>) -> Self {
        Cell::Value {
            value,
            unit,
            text: None,
        }
    }

    /// Another text for people.
    #[must_use]
    pub fn shown_as(mut self, shown: impl Into<String>) -> Self {
        if let Cell::Value { text, .. } = &mut self {
            *text = Some(shown.into());
        }
        self
    }

    /// Whether it counts something, of which there is nothing.
    pub fn is_zero(&self) -> bool {
        matches!(
            self,
            Cell::Value {
                value: Scalar::Unsigned(0),
                ..
            }
        )
    }

    /// For people.
    pub fn shown(&self) -> String {
        match self {
            Cell::Missing(Missing::Unsupported) => "(unsupported)".into(),
            Cell::Missing(Missing::NotApplicable) => "-".into(),
            Cell::Missing(Missing::Denied) => "(denied)".into(),
            Cell::Value {
                text: Some(text), ..
            } => text.clone(),
            Cell::Value { value, unit, .. } => {
                let text = match value {
                    Scalar::Flag(true) => "yes".into(),
                    Scalar::Flag(false) => "no".into(),
                    Scalar::Signed(n) => n.to_string(),
                    Scalar::Unsigned(n) => n.to_string(),
                    Scalar::Text(text) => text.clone(),
                    Scalar::List(texts) => texts.join(", "),
                };
                match unit {
                    Some(unit) => counted(&text, unit),
                    None => text,
                }
            }
        }
    }
}

/// A number with its unit: `1 byte`, `2 bytes`, `1 ms`.
pub fn counted(number: &str, unit: &str) -> String {
    // Shorter ones are symbols, and that of a rate ends with another one.
    match unit.strip_suffix('s') {
        Some(one) if number == "1" && unit.len() > 2 && !one.ends_with('/') => {
            format!("{number} {one}")
        }
        _ => format!("{number} {unit}"),
    }
}

/// A time as people write it, in a unit of its size: `47 µs`, `4.728 ms`.
pub fn time(time: std::time::Duration) -> String {
    let text = format!("{time:?}");
    match text.find(|c: char| c.is_alphabetic()) {
        Some(unit) => format!("{} {}", &text[..unit], &text[unit..]),
        None => text,
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Cell::Missing(why) => map.serialize_entry("missing", why.name())?,
            Cell::Value { value, unit, .. } => {
                map.serialize_entry("value", value)?;
                if let Some(unit) = unit {
                    map.serialize_entry("unit", unit)?;
                }
            }
        }
        map.end()
    }
}

/// A part of a report.
#[derive(Debug, Clone)]
pub struct Section {
    /// For programs: a field of the event.
    pub name: &'static str,
    /// For people; empty: no title.
    pub title: &'static str,
    /// What is in it.
    pub body: Body,
    /// People are spared what is 0; programs are not.
    pub is_terse: bool,
}

/// What a section has.
#[derive(Debug, Clone)]
pub enum Body {
    /// Names and values.
    Facts(Vec<(String, Cell)>),
    /// Rows of values under names. The first column tells the rows apart.
    Table {
        /// The names.
        columns: Vec<&'static str>,
        /// A cell for each name.
        rows: Vec<Vec<Cell>>,
    },
}

impl Section {
    /// Names and values.
    pub fn facts(name: &'static str, title: &'static str, facts: Vec<(String, Cell)>) -> Self {
        Self::of(name, title, Body::Facts(facts))
    }

    /// A table.
    pub fn table(
        name: &'static str,
        title: &'static str,
        columns: &[&'static str],
        rows: Vec<Vec<Cell>>,
    ) -> Self {
        let columns = columns.to_vec();
        Self::of(name, title, Body::Table { columns, rows })
    }

    fn of(name: &'static str, title: &'static str, body: Body) -> Self {
        Self {
            name,
            title,
            body,
            is_terse: false,
        }
    }

    /// The same, in which people are spared what is 0.
    #[must_use]
    pub fn terse(mut self) -> Self {
        self.is_terse = true;
        self
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        match &self.body {
            Body::Facts(facts) => facts.is_empty(),
            Body::Table { rows, .. } => rows.is_empty(),
        }
    }
}

/// All that was found about one thing.
#[derive(Debug, Clone)]
pub struct Report {
    /// What kind of thing: host, socket, process.
    pub kind: &'static str,
    /// Which one.
    pub subject: String,
    /// When, if it is one of several.
    pub time: Option<Timestamp>,
    /// What was found.
    pub sections: Vec<Section>,
    /// What somebody who knows would remark.
    pub remarks: Vec<String>,
}

impl Report {
    /// Nothing found yet.
    pub fn new(kind: &'static str, subject: impl Into<String>) -> Self {
        Self {
            kind,
            subject: subject.into(),
            time: None,
            sections: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// With one more section.
    #[must_use]
    pub fn with(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// A fact that is text.
    pub fn value(&self, section: &str, name: &str) -> Option<&str> {
        match self.fact(section, name)? {
            Cell::Value {
                value: Scalar::Text(text),
                ..
            } => Some(text),
            _ => None,
        }
    }

    /// A fact.
    pub fn fact(&self, section: &str, name: &str) -> Option<&Cell> {
        let section = self.sections.iter().find(|one| one.name == section)?;
        match &section.body {
            Body::Facts(facts) => facts.iter().find(|(known, _)| known == name),
            Body::Table { .. } => None,
        }
        .map(|(_, cell)| cell)
    }

    /// Puts something else in the place of a fact.
    pub fn replace(&mut self, section: &str, name: &str, by: Cell) {
        for one in self.sections.iter_mut().filter(|one| one.name == section) {
            if let Body::Facts(facts) = &mut one.body {
                for (_, cell) in facts.iter_mut().filter(|(known, _)| known == name) {
                    *cell = by.clone();
                }
            }
        }
    }

    /// Every value as people are shown it, by the paths of [`Report::flat`].
    pub fn shown(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for section in &self.sections {
            match &section.body {
                Body::Facts(facts) => found.extend(facts.iter().map(|(name, cell)| {
                    let path = format!("{}.{}", section.name, name.replace(' ', "_"));
                    (path, cell.shown())
                })),
                Body::Table { columns, rows } => {
                    for row in rows {
                        let mut cells = columns.iter().zip(row);
                        let Some((_, key)) = cells.next() else {
                            continue;
                        };
                        let key = key.shown();
                        found.extend(cells.map(|(column, cell)| {
                            (format!("{}.{key}.{column}", section.name), cell.shown())
                        }));
                    }
                }
            }
        }
        found
    }

    /// Every value by a path that names it: `options.SO_RCVBUF`, `interfaces.lo.mtu`.
    pub fn flat(&self) -> BTreeMap<String, String> {
        serde_json::to_value(self)
            .map(|json| flat(&json))
            .unwrap_or_default()
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("event", "inspect")?;
        map.serialize_entry("kind", self.kind)?;
        map.serialize_entry("subject", &self.subject)?;
        if let Some(time) = self.time {
            map.serialize_entry("time", &time)?;
        }
        for section in &self.sections {
            map.serialize_entry(section.name, &section.body)?;
        }
        map.serialize_entry("remarks", &self.remarks)?;
        map.end()
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Body::Facts(facts) => serializer.collect_map(
                facts
                    .iter()
                    .map(|(name, cell)| (name.replace(' ', "_"), cell)),
            ),
            Body::Table { columns, rows } => {
                let mut list = serializer.serialize_seq(Some(rows.len()))?;
                for row in rows {
                    let row: Row<'_> = Row(columns, row);
                    list.serialize_element(&row)?;
                }
                list.end()
            }
        }
    }
}

struct Row<'a>(&'a [&'static str], &'a [Cell]);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().zip(self.1))
    }
}

/// The values of an event as it was saved, by path.
pub fn flat(event: &serde_json::Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let Some(fields) = event.as_object() else {
        return found;
    };
    for (section, body) in fields {
        collect(section, body, &mut found);
    }
    found
}

fn collect(path: &str, json: &serde_json::Value, found: &mut BTreeMap<String, String>) {
    use serde_json::Value as Json;
    match json {
        Json::Object(fields) => {
            if let Some(value) = fields.get("value") {
                let text = match value {
                    Json::String(text) => text.clone(),
                    Json::Array(texts) => {
                        let texts: Vec<&str> = texts.iter().filter_map(Json::as_str).collect();
                        texts.join(", ")
                    }
                    other => other.to_string(),
                };
                let unit = fields.get("unit").and_then(Json::as_str);
                let shown = unit.map_or(text.clone(), |unit| format!("{text} {unit}"));
                found.insert(path.into(), shown);
            } else if let Some(why) = fields.get("missing").and_then(Json::as_str) {
                found.insert(path.into(), format!("({why})"));
            } else {
                for (name, inner) in fields {
                    collect(&format!("{path}.{name}"), inner, found);
                }
            }
        }
        Json::Array(rows) => {
            for (number, row) in rows.iter().enumerate() {
                let key = ["name", "address", "fd", "option"]
                    .iter()
                    .find_map(|key| Some((*key, row.get(key)?.get("value")?)));
                let (column, name) = match key {
                    Some((column, value)) => (column, value.to_string()),
                    None => ("", number.to_string()),
                };
                let path = format!("{path}.{}", name.trim_matches('"'));
                for (name, inner) in row.as_object().into_iter().flatten() {
                    // It is in the path.
                    if name != column {
                        collect(&format!("{path}.{name}"), inner, found);
                    }
                }
            }
        }
        // The event's name, its kind and its subject are what differs anyway.
        _ => {}
    }
}

/// The paths at which two reports differ, with both values. `only_shared`: what one of them lacks is no difference,
/// as with a profile, which says nothing of most options.
pub fn diff(
    a: &BTreeMap<String, String>,
    b: &BTreeMap<String, String>,
    only_shared: bool,
) -> Vec<(String, Option<String>, Option<String>)> {
    let paths: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    paths
        .into_iter()
        .map(|path| (path.clone(), a.get(path).cloned(), b.get(path).cloned()))
        .filter(|(_, a, b)| a != b && (!only_shared || a.is_some() && b.is_some()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report::new("socket", "tcp://127.0.0.1:1")
            .with(Section::facts(
                "options",
                "Options",
                vec![
                    (
                        "SO_RCVBUF".into(),
                        Cell::count(65536, Some("bytes")).shown_as("64KiB"),
                    ),
                    ("SO_MARK".into(), Cell::Missing(Missing::Denied)),
                    ("TCP_NODELAY".into(), Cell::flag(true)),
                ],
            ))
            .with(Section::table(
                "interfaces",
                "Interfaces",
                &["name", "mtu"],
                vec![vec![Cell::text("lo"), Cell::count(65536, Some("bytes"))]],
            ))
    }

    #[test]
    fn every_value_has_a_unit_or_a_reason() {
        let text = serde_json::to_string(&report()).unwrap();
        assert_eq!(
            text,
            "{\"event\":\"inspect\",\"kind\":\"socket\",\"subject\":\"tcp://127.0.0.1:1\",\
             \"options\":{\"SO_RCVBUF\":{\"value\":65536,\"unit\":\"bytes\"},\
             \"SO_MARK\":{\"missing\":\"denied\"},\"TCP_NODELAY\":{\"value\":true}},\
             \"interfaces\":[{\"name\":{\"value\":\"lo\"},\"mtu\":{\"value\":65536,\"unit\":\"bytes\"}}],\
             \"remarks\":[]}"
        );
    }

    #[test]
    fn a_saved_report_is_the_same_as_the_live_one() {
        let saved = serde_json::from_str(&serde_json::to_string(&report()).unwrap()).unwrap();
        assert_eq!(flat(&saved), report().flat());
        assert_eq!(report().flat()["interfaces.lo.mtu"], "65536 bytes");
        assert_eq!(report().flat()["options.SO_MARK"], "(denied)");
    }

    #[test]
    fn a_difference_names_the_path_and_both_values() {
        let a = report().flat();
        let mut b = a.clone();
        b.insert("options.TCP_NODELAY".into(), "false".into());
        b.remove("options.SO_MARK");
        let both = diff(&a, &b, false);
        assert_eq!(both.len(), 2);
        assert_eq!(
            both[1],
            (
                "options.TCP_NODELAY".into(),
                Some("true".into()),
                Some("false".into())
            )
        );
        assert_eq!(diff(&a, &b, true).len(), 1, "what only one has");
        assert!(diff(&a, &a, false).is_empty());
    }
}
