//! `sower man` and `sower completions`: what packages install, made of the commands themselves.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use super::Cli;
use super::daemon::config::{Config, When};

const SOURCE: &str = concat!("sower ", env!("CARGO_PKG_VERSION"));
const MANUAL: &str = "sower manual";

/// Arguments of `sower man`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Folder for the pages; made if it is not there.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Arguments of `sower completions`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  sower completions bash > /etc/bash_completion.d/sower
  sower completions zsh > \"${fpath[1]}/_sower\"
  sower completions fish > ~/.config/fish/completions/sower.fish")]
pub(super) struct CompletionArgs {
    /// For this one.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Writes a page for each command, and one for the configuration.
pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let folder = &args.folder;
    let failed = || format!("cannot write to {}", folder.display());
    std::fs::create_dir_all(folder).with_context(failed)?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    write_pages(command, folder).with_context(failed)?;
    std::fs::write(folder.join("sower-config.5"), config_page()).with_context(failed)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a script that a shell loads.
pub(super) fn completions(args: CompletionArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sower", &mut script);
    io::Write::write_all(&mut io::stdout(), &script)?;
    Ok(ExitCode::SUCCESS)
}

fn write_pages(command: clap::Command, folder: &Path) -> io::Result<()> {
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        write_pages(command.clone(), folder)?;
    }
    let title = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    // a page of the same sources is the same page, whatever the day; an empty date would be left out, and the next word be the date
    let page = Man::new(command).title(title).date(" ").source(SOURCE).manual(MANUAL);
    page.generate_to(folder).map(drop)
}

/// sower-config(5), of the same texts as the generated file.
fn config_page() -> String {
    let mut page = format!(".TH sower\\-config 5 \" \" \"{SOURCE}\" \"{MANUAL}\"\n");
    page.push_str(".SH NAME\nsower\\-config \\- configuration of \\fBsower daemon\\fR\n.SH DESCRIPTION\n");
    page.push_str(
        "A file in TOML, \\fIDIR\\fR/config.toml unless \\fB\\-\\-config\\fR names another. Every key has a variable too, \
         SOWER_SECTION_KEY; flags go before variables, variables before the file. Keys marked [restart] hold after a restart, all \
         others after SIGHUP.\n",
    );
    for (section, about, keys) in Config::sections() {
        let about: Vec<_> = about.iter().map(|line| line.trim()).collect();
        _ = write!(page, ".SH [{section}]\n{}\n", escaped(&about.join(" ")));
        for key in keys {
            let mark = if key.when == When::Restart { " [restart]" } else { "" };
            _ = writeln!(page, ".TP\n\\fB{}\\fR = {}{mark}", escaped(&key.name()), escaped(key.default));
            _ = writeln!(page, "{}", escaped(&key.doc().collect::<Vec<_>>().join(" ")));
        }
    }
    page.push_str(".SH [categories.NAME]\nGroups of torrents.\n.TP\n\\fBfolder\\fR\nWhere their content goes.\n");
    page.push_str(".SH SEE ALSO\n\\fBsower\\-daemon\\fR(1)\n");
    page
}

/// For roff: a line that begins with a dot or an apostrophe is a request.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
