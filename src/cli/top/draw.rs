//! One frame.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Clear, Paragraph, Row as TableRow, Sparkline, Table};

use super::app::{App, Mode, Tab};
use super::details;
use super::list::{Column, List, Row};
use crate::cli::screen::printable;
use crate::cli::units::{Bytes, Rate};

/// Lines of details, tabs included, where there is room for them; of a high terminal a third.
const DETAILS: u16 = 10;
/// Columns of a terminal that has room for sizes and ratios.
const WIDE: u16 = 100;
/// Columns of one that has room for what was sent and for categories too.
const WIDER: u16 = 140;

const QUIET: Style = Style::new().fg(Color::DarkGray);
const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);

const HELP: &[(&str, &str)] = &[
    ("up, down, page up, page down, home, end", "go through the list (also j, k, g, G)"),
    ("enter", "details, or none"),
    ("tab", "other details: peers, trackers, files"),
    ("/", "search by name"),
    ("f", "show all, active, downloading, seeding, stopped, in trouble"),
    ("o, O", "sort by the next column, the other way round"),
    ("s, p", "start, stop"),
    ("v, a", "verify its data, announce it now"),
    ("d", "remove, after a question"),
    ("esc", "close details, search no more"),
    ("q", "quit"),
];

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App) {
    let room = frame.area();
    let details = if app.details.is_some() { DETAILS.min(room.height / 2).max(room.height / 3) } else { 0 };
    let chart = if room.height >= 20 { 3 } else { 0 };
    let parts = [1, chart, 0, details, 1].map(Constraint::Length);
    let [head, chart, list, about, foot] =
        Layout::vertical([parts[0], parts[1], Constraint::Min(2), parts[3], parts[4]]).areas(room);
    draw_head(frame, head, app);
    draw_chart(frame, chart, app);
    draw_list(frame, list, app);
    draw_details(frame, about, app);
    draw_foot(frame, foot, app);
    if app.mode == Mode::Help {
        draw_help(frame, room);
    }
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let (shown, all) = app.list.counts();
    let count = if shown == all { format!("{all} torrents") } else { format!("{shown} of {all} torrents") };
    let totals = &app.totals;
    let free = totals.free.map(|free| format!("{} free", Bytes(free)));
    let (peers, sent) = (format!("{} peers", totals.connections), format!("{} sent", Bytes(totals.uploaded)));
    let mut line = Line::from(vec![
        Span::styled("sower", STRONG),
        Span::raw(format!("   up {}   down {}", Rate(totals.upload_rate), Rate(totals.download_rate))),
    ]);
    for words in [Some(count), Some(peers), free, Some(sent)].into_iter().flatten() {
        // whole or not at all
        if line.width() + 3 + words.len() <= usize::from(area.width) {
            line.push_span(Span::styled(format!("   {words}"), QUIET));
        }
    }
    frame.render_widget(Paragraph::new(line), area);
}

fn draw_chart(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let width = usize::from(area.width);
    let skipped = app.rates.len().saturating_sub(width);
    // the latest second stands at the right edge
    let before = width.saturating_sub(app.rates.len());
    let rates = std::iter::repeat_n(0, before).chain(app.rates.iter().skip(skipped).copied());
    frame.render_widget(Sparkline::default().data(rates).style(Style::new().fg(Color::Green)), area);
}

fn columns(width: u16) -> &'static [(Column, u16)] {
    use Column::{Category, Down, Name, Peers, Progress, Ratio, Sent, Size, State, Up};
    const ALL: [(Column, u16); 10] = [
        (Name, 0),
        (State, 14),
        (Progress, 6),
        (Size, 10),
        (Up, 12),
        (Down, 12),
        (Peers, 6),
        (Ratio, 7),
        (Sent, 10),
        (Category, 16),
    ];
    match width {
        WIDER.. => &ALL,
        WIDE.. => &ALL[..8],
        _ => &[(Name, 0), (State, 12), (Progress, 6), (Up, 11), (Down, 11), (Peers, 5)],
    }
}

fn draw_list(frame: &mut Frame<'_>, area: Rect, app: &mut App) {
    let height = usize::from(area.height.saturating_sub(1));
    app.page = height;
    let columns = columns(area.width);
    let heads = columns.iter().map(|(column, _)| heading(&app.list, *column));
    let head = TableRow::new(heads.collect::<Vec<_>>()).style(QUIET.add_modifier(Modifier::UNDERLINED));
    let widths = columns.iter().map(|&(column, width)| match column {
        Column::Name => Constraint::Min(10),
        _ => Constraint::Length(width),
    });
    let widths: Vec<Constraint> = widths.collect();
    let (rows, marked) = app.list.window(height);
    let rows = rows.into_iter().enumerate().map(|(at, row)| {
        let cells: Vec<Cell<'_>> = columns.iter().map(|(column, _)| cell(row, *column)).collect();
        TableRow::new(cells).style(if at == marked {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            Style::new()
        })
    });
    frame.render_widget(Table::new(rows.collect::<Vec<_>>(), widths).header(head), area);
    if app.list.counts().0 == 0 && height > 1 {
        let words = if app.list.counts().1 == 0 { "no torrents yet" } else { "none of the torrents fits" };
        frame.render_widget(Paragraph::new(words).style(QUIET), Rect { y: area.y + 1, height: 1, ..area });
    }
}

fn heading(list: &List, column: Column) -> Cell<'static> {
    let arrow = if list.descending { '↓' } else { '↑' };
    let title = if list.column == column { format!("{}{arrow}", column.title()) } else { column.title().to_owned() };
    aligned(column, title)
}

fn aligned(column: Column, text: String) -> Cell<'static> {
    match column {
        Column::Name | Column::State | Column::Category => Cell::from(text),
        _ => Cell::from(Line::from(text).right_aligned()),
    }
}

fn cell(row: &Row, column: Column) -> Cell<'static> {
    let rate = |rate: u64| if rate > 0 { Rate(rate).to_string() } else { String::new() };
    let text = match column {
        Column::Name => printable(&row.name),
        Column::State => return Cell::from(state(row)).style(state_style(row)),
        Column::Progress => progress(row.progress),
        Column::Size => Bytes(row.size).to_string(),
        Column::Up => rate(row.upload_rate),
        Column::Down => rate(row.download_rate),
        Column::Peers => row.peers.to_string(),
        Column::Sent => Bytes(row.uploaded).to_string(),
        Column::Category => printable(&row.category),
        Column::Ratio => row.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
    };
    aligned(column, text)
}

/// 100 only of the whole.
fn progress(part: f64) -> String {
    if part >= 1.0 { "100 %".to_owned() } else { format!("{:.1} %", (part * 1_000.0).floor() / 10.0) }
}

fn state(row: &Row) -> String {
    let word = match row.activity.as_str() {
        "queued_check" | "queued_download" | "queued_seed" => "queued",
        "absent" => "data absent",
        "failed" => "error",
        other => other,
    };
    match row.activity_per_mille {
        Some(part) => format!("{word} {} %", part / 10),
        None => printable(word),
    }
}

fn state_style(row: &Row) -> Style {
    match row.activity.as_str() {
        // a move that failed, for one
        "seeding" | "downloading" if row.message.is_some() => Style::new().fg(Color::Yellow),
        "seeding" => Style::new().fg(Color::Green),
        "downloading" | "metadata" => Style::new().fg(Color::Blue),
        "absent" => Style::new().fg(Color::Yellow),
        "failed" => Style::new().fg(Color::Red),
        _ => Style::new(),
    }
}

fn draw_details(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let Some(tab) = app.details else { return };
    if area.height == 0 {
        return;
    }
    let tabs = Tab::ALL.iter().flat_map(|&other| {
        let style = if other == tab { STRONG.add_modifier(Modifier::UNDERLINED) } else { QUIET };
        [Span::styled(other.title(), style), Span::raw("  ")]
    });
    let marked = app.list.marked();
    let answer = app.answer.as_ref().filter(|(hash, of, _)| *of == tab && marked.is_some_and(|row| row.hash == *hash));
    let mut lines = vec![Line::from(tabs.collect::<Vec<_>>())];
    match answer {
        Some((_, _, Ok(answer))) => {
            lines.extend(details::lines(tab, answer, usize::from(area.height) - 1).into_iter().map(Line::from))
        }
        Some((_, _, Err(error))) => lines.push(Line::styled(printable(error), Style::new().fg(Color::Red))),
        None => lines.push(Line::styled("...", QUIET)),
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let bad = Style::new().fg(Color::Red);
    let line = match (&app.mode, &app.lost, &app.said) {
        (Mode::Search, _, _) => Line::from(format!("/{}", printable(&app.list.search))).style(STRONG),
        (Mode::Removing(order), _, _) => removal(&order.name),
        (_, Some(lost), _) => Line::styled(printable(lost), bad),
        (_, _, None) if app.totals.trouble.is_some() => {
            Line::styled(printable(app.totals.trouble.as_deref().unwrap_or("")), bad)
        }
        (_, _, Some((said, is_bad))) => Line::styled(printable(said), if *is_bad { bad } else { Style::new() }),
        _ => Line::styled(
            format!("?:keys /:search f:{} o:sort enter:details s:start p:stop d:remove q:quit", app.list.show.title()),
            QUIET,
        ),
    };
    frame.render_widget(Paragraph::new(line), area);
    if app.mode == Mode::Search {
        let column = u16::try_from(Line::from(printable(&app.list.search)).width()).unwrap_or(0).saturating_add(1);
        frame.set_cursor_position((area.x + column.min(area.width.saturating_sub(1)), area.y));
    }
}

fn removal(name: &str) -> Line<'static> {
    // the question must be whole in 80 columns, whatever the name is
    let short: String = printable(name).chars().take(24).collect();
    Line::styled(
        format!("Remove {short}? y: yes, its data stays   D: with its data   other keys: no"),
        Style::new().fg(Color::Yellow),
    )
}

fn draw_help(frame: &mut Frame<'_>, room: Rect) {
    let lines: Vec<Line<'_>> = HELP
        .iter()
        .map(|(keys, words)| Line::from(vec![Span::styled(format!("{keys:>40}  "), STRONG), Span::raw(*words)]))
        .collect();
    let height = u16::try_from(lines.len()).unwrap_or(0).min(room.height);
    let area = Rect { y: room.y + (room.height - height) / 2, height, ..room };
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines), area);
}
