//! The parts of a workbook around its sheets: relationships, names of sheets, styles and the date system.
//!
//! ECMA-376 part 2, 9.3 (relationships); part 1, 18.2 (workbook) and 18.8 (styles).

use std::collections::HashMap;
use std::sync::Arc;

use crate::formats::{self, Shown};
use crate::package::Package;
use crate::unusual::{unusual, Result};
use crate::xml::{self, attribute, decoded};

/// A worksheet.
#[derive(Debug, Clone)]
pub struct SheetPart {
    pub name: String,
    pub hidden: bool,
    pub part: String,
}

/// What a workbook says of its sheets.
pub struct Workbook {
    pub sheets: Vec<SheetPart>,
    pub date1904: bool,
    /// What each cell style shows; None: a number.
    pub styles: Arc<Vec<Option<Shown>>>,
    /// The part with the shared strings.
    pub strings: Option<String>,
}

struct Relationship {
    kind: String,
    target: String,
}

impl Workbook {
    pub fn read(package: &Package) -> Result<Self> {
        let roots = relationships(package, "")?;
        let mut workbooks = roots.values().filter(|root| root.kind.ends_with("/officeDocument"));
        let (Some(workbook), None) = (workbooks.next(), workbooks.next()) else {
            return unusual("no workbook part, or several");
        };
        let workbook = workbook.target.as_str();
        let folder = workbook.strip_suffix("workbook.xml").filter(|folder| folder.is_empty() || folder.ends_with('/'));
        let Some(folder) = folder else {
            return unusual("the workbook part has an unusual name");
        };
        let targets = relationships(package, workbook)?;
        let strings = only(package, &targets, "/sharedStrings", &format!("{folder}sharedStrings.xml"))?;
        let styles = only(package, &targets, "/styles", &format!("{folder}styles.xml"))?;
        let (sheets, date1904) = read_sheets(package, workbook, &targets)?;
        let styles = styles.map_or(Ok(Vec::new()), |part| read_styles(&package.small_part(&part)?))?;
        Ok(Self { sheets, date1904, styles: Arc::new(styles), strings })
    }
}

/// The only part of a kind, under the name by which the built-in reader finds it; None if there is none.
fn only(package: &Package, targets: &HashMap<String, Relationship>, kind: &str, usual: &str) -> Result<Option<String>> {
    let mut found = targets.values().filter(|target| target.kind.ends_with(kind));
    match (found.next(), found.next()) {
        (None, None) if !package.has(usual) => Ok(None),
        (Some(target), None) if target.target == usual && package.has(usual) => Ok(Some(target.target.clone())),
        _ => unusual(format!("the part {usual} is missing, elsewhere, or there twice")),
    }
}

/// A part's relationships by their identities.
fn relationships(package: &Package, part: &str) -> Result<HashMap<String, Relationship>> {
    let (folder, name) = part.rfind('/').map_or(("", part), |place| part.split_at(place + 1));
    let bytes = package.small_part(&format!("{folder}_rels/{name}.rels"))?;
    let mut found = HashMap::new();
    xml::for_each_tag(&bytes, |element, attributes| {
        let (b"Relationship", Some(attributes)) = (element, attributes) else {
            return Ok(());
        };
        if attribute(attributes, b"TargetMode")?.is_some_and(|mode| mode == b"External") {
            return Ok(());
        }
        let text = |name: &[u8]| attribute(attributes, name)?.map_or(Ok(String::new()), decoded);
        let target = resolved(folder, &text(b"Target")?)?;
        let relationship = Relationship { kind: text(b"Type")?, target };
        if found.insert(text(b"Id")?, relationship).is_some() {
            return unusual("two relationships have the same identity");
        }
        Ok(())
    })?;
    Ok(found)
}

/// The name of a part that a part in `folder` refers to.
fn resolved(folder: &str, target: &str) -> Result<String> {
    let plain = |character: char| character.is_ascii_alphanumeric() || " ._-/#".contains(character);
    let whole = target.strip_prefix('/').map_or_else(|| format!("{folder}{target}"), str::to_owned);
    if !target.chars().all(plain) {
        return unusual("a part's name is unusual");
    }
    let mut names: Vec<&str> = Vec::new();
    for name in whole.split('/') {
        match name {
            "" | "." => {}
            ".." if names.pop().is_none() => return unusual("a part's name is unusual"),
            ".." => {}
            name => names.push(name),
        }
    }
    Ok(names.join("/"))
}

fn read_sheets(
    package: &Package,
    workbook: &str,
    targets: &HashMap<String, Relationship>,
) -> Result<(Vec<SheetPart>, bool)> {
    let bytes = package.small_part(workbook)?;
    let (mut sheets, mut date1904, mut names) = (Vec::new(), None, Vec::new());
    xml::for_each_tag(&bytes, |element, attributes| {
        let Some(attributes) = attributes else { return Ok(()) };
        match element {
            b"workbookPr" => {
                if let Some(value) = attribute(attributes, b"date1904")? {
                    if !matches!(value, b"0" | b"1" | b"true" | b"false") || date1904.is_some() {
                        return unusual("the date system is unusual");
                    }
                    date1904 = Some(matches!(value, b"1" | b"true"));
                }
            }
            b"sheet" => {
                let name = attribute(attributes, b"name")?.map_or(Ok(String::new()), decoded)?;
                let hidden = match attribute(attributes, b"state")? {
                    None | Some(b"visible") => false,
                    Some(b"hidden" | b"veryHidden") => true,
                    Some(_) => return unusual("a sheet is in an unusual state"),
                };
                let Some(target) = targets.get(&identity(attributes)?) else {
                    return unusual("a sheet has no part");
                };
                if name.is_empty() || names.contains(&name) || !package.has(&target.target) {
                    return unusual("a sheet has no name or no part, or two have the same name");
                }
                names.push(name.clone());
                let kind = target.kind.rsplit('/').next().unwrap_or_default();
                match kind {
                    "worksheet" => sheets.push(SheetPart { name, hidden, part: target.target.clone() }),
                    "chartsheet" | "dialogsheet" => {}
                    _ => return unusual("a sheet is of an unusual kind"),
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok((sheets, date1904.unwrap_or(false)))
}

/// The identity of a sheet's relationship: the attribute `id` with any prefix.
fn identity(attributes: &[u8]) -> Result<String> {
    let mut all = xml::Attributes(attributes);
    let mut found = None;
    while let Some((name, value)) = all.next()? {
        if (name.ends_with(b":id") || name == b"id") && found.replace(decoded(value)?).is_some() {
            return unusual("a sheet has two identities");
        }
    }
    Ok(found.unwrap_or_default())
}

fn read_styles(bytes: &[u8]) -> Result<Vec<Option<Shown>>> {
    let mut codes: HashMap<u32, Option<Shown>> = HashMap::new();
    let mut styles = Vec::new();
    let mut section: Option<&[u8]> = None;
    xml::for_each_tag(bytes, |element, attributes| {
        match (section, element, attributes) {
            (None, b"numFmts", Some(_)) => section = Some(b"numFmts"),
            (None, b"cellXfs", Some(_)) => section = Some(b"cellXfs"),
            (Some(name), _, None) if name == element => section = None,
            (Some(b"numFmts"), b"numFmt", Some(attributes)) => {
                let (id, code) = (attribute(attributes, b"numFmtId")?, attribute(attributes, b"formatCode")?);
                if let (Some(id), Some(code)) = (id, code) {
                    if codes.insert(number(id)?, formats::shown_by(&decoded(code)?)).is_some() {
                        return unusual("a number format is there twice");
                    }
                }
            }
            (Some(b"cellXfs"), b"xf", Some(attributes)) => {
                styles.push(attribute(attributes, b"numFmtId")?.map_or(Ok(0), number)?);
            }
            _ => {}
        }
        Ok(())
    })?;
    let shown = |id: u32| codes.get(&id).copied().unwrap_or_else(|| formats::builtin(id));
    Ok(styles.into_iter().map(shown).collect())
}

/// A number as programs write it: digits alone, without zeros before them.
fn number(digits: &[u8]) -> Result<u32> {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    match text.parse::<u32>() {
        Ok(number) if number.to_string() == text => Ok(number),
        _ => unusual("a number is unusual"),
    }
}
