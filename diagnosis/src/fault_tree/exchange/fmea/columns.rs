//! Which column is what, by its heading in English or Chinese.

use csv::StringRecord;

/// What a column says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Mode,
    Effects,
    Code,
    Cause,
    Check,
    Remedy,
    Part,
    Cost,
    Rate,
}

/// Parts of headings, lower case and without spaces, in the order in which they are tried: `part
/// cost` is a cost, `failure mode` no failure rate.
const HEADINGS: [(Column, &[&str]); 9] = [
    (Column::Cost, &["cost", "price", "费用", "价格", "成本"]),
    (Column::Rate, &["rate", "frequency", "故障率", "失效率", "频率"]),
    (Column::Code, &["code", "代码", "故障码"]),
    (Column::Mode, &["mode", "故障模式", "失效模式"]),
    (Column::Effects, &["effect", "consequence", "影响", "后果"]),
    (Column::Cause, &["cause", "原因"]),
    (Column::Check, &["check", "test", "detect", "检查", "检测"]),
    (Column::Remedy, &["remedy", "action", "repair", "措施", "处理", "维修"]),
    (Column::Part, &["part", "spare", "配件", "备件", "零件"]),
];

/// The columns of a table.
pub(super) struct Columns {
    headings: Vec<String>,
    /// What each says, if that is known; the first of its sort counts.
    sorts: Vec<Option<Column>>,
}

impl Columns {
    pub fn of(headings: &StringRecord) -> Self {
        let mut sorts: Vec<Option<Column>> = Vec::new();
        for heading in headings {
            let plain: String = heading.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
            let fits = |(_, parts): &&(Column, &[&str])| parts.iter().any(|part| plain.contains(part));
            let sort = HEADINGS.iter().find(fits).map(|(column, _)| *column);
            sorts.push(sort.filter(|sort| !sorts.contains(&Some(*sort))));
        }
        Self { headings: headings.iter().map(str::to_owned).collect(), sorts }
    }

    pub fn count(&self) -> usize {
        self.headings.len()
    }

    pub fn has(&self, column: Column) -> bool {
        self.sorts.contains(&Some(column))
    }

    /// A cell of a row, empty if there is no such column.
    pub fn cell<'r>(&self, record: &'r StringRecord, column: Column) -> &'r str {
        let place = self.sorts.iter().position(|sort| *sort == Some(column));
        place.and_then(|place| record.get(place)).unwrap_or_default()
    }

    /// As the table heads it.
    pub fn heading(&self, column: Column) -> &str {
        let place = self.sorts.iter().position(|sort| *sort == Some(column));
        place.map_or("table", |place| &self.headings[place])
    }

    /// What a fault tree has no place for: `heading: cell`.
    pub fn remarks(&self, record: &StringRecord) -> Vec<String> {
        let without_place =
            |sort: &Option<Column>| matches!(sort, None | Some(Column::Code | Column::Part | Column::Cost));
        let cells = self.sorts.iter().zip(&self.headings).zip(record);
        let kept = cells.filter(|((sort, _), cell)| without_place(sort) && !cell.is_empty());
        kept.map(|((_, heading), cell)| format!("{heading}: {cell}")).collect()
    }
}

/// The character between cells: what the first line has most of.
pub(super) fn delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    let count = |delimiter: u8| first.bytes().filter(|byte| *byte == delimiter).count();
    // The last of equals counts: a comma, unless there is something else.
    [b'\t', b';', b','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}
