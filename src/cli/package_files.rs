//! The files of packages that are made from the command line's own description, so that they cannot differ from it.

use clap::{Arg, Command};
use clap_complete::{Shell, generate_to};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

/// Writes man pages to `man`, shell completions to `completions`, and the settings file, in which nothing is set but the
/// data folder.
pub fn write(command: Command, folder: &Path) -> io::Result<()> {
    let mut command = without_help(command);
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;
    fs::write(folder.join("config.toml"), settings_file(&command, "/var/lib/agent-studio"))?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut command, "agent-studio", &completions)?;
    }
    clap_mangen::generate_to(command, &man)
}

/// Without the subcommand `help` of each command, whose pages would say nothing.
fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

/// A settings file that explains every setting.
fn settings_file(command: &Command, data_dir: &str) -> String {
    let mut file =
        String::from("# Settings of Agent Studio. Flags and environment variables are stronger than this file.\n");
    for setting in command.get_arguments().filter(|argument| is_setting(argument)) {
        let name = setting.get_id().as_str();
        file.push('\n');
        let help = setting.get_help().map(ToString::to_string).unwrap_or_default();
        for line in wrapped(&help) {
            let _ = writeln!(file, "# {line}");
        }
        if let Some(variable) = setting.get_env() {
            let _ = writeln!(file, "# Environment variable: {}", variable.to_string_lossy());
        }
        let _ = match name {
            "data_dir" => writeln!(file, "{name} = \"{data_dir}\""),
            _ => writeln!(file, "#{name} = {}", example(setting)),
        };
    }
    file
}

fn is_setting(argument: &Arg) -> bool {
    argument.get_env().is_some() && argument.get_id() != "config"
}

/// A possible value, by the name that the help gives it.
fn example(setting: &Arg) -> &'static str {
    let name = setting.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
    match name {
        "ADDR" => "\"127.0.0.1:3000\"",
        "BASE64" => "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"",
        "BOOL" => "true",
        "CALLS" | "COUNT" => "1000",
        "DAYS" => "30",
        "SECONDS" => "300",
        "DURATION" => "\"24h\"",
        "TARGET" => "\"syslog+tls://siem.example.com:6514\"",
        "FORMAT" => "\"json\"",
        "URL" if setting.get_id() == "public_url" => "\"https://keys.example.com\"",
        "URL" if setting.get_id() == "otlp_endpoint" => "\"http://127.0.0.1:4318\"",
        "URL" => "\"postgres://agent-studio:password@localhost/agent-studio\"",
        // The unit lets the server write to its own folder only.
        "DIR" => "\"/var/lib/agent-studio/backups\"",
        _ => "\"/var/lib/agent-studio/recordings\"",
    }
}

/// Breaks a text into lines for a comment.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if lines[last].len() + word.len() > 95 {
            lines.push(word.to_owned());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::settings::Settings;
    use clap::Args as _;

    #[test]
    fn the_settings_file_explains_every_setting_and_is_valid() {
        let command = Settings::augment_args(Command::new("agent-studio"));
        let file = settings_file(&command, "/data");
        let set = |text: &str| toml::from_str::<Settings>(text).unwrap();
        assert_eq!(set(&file).data_dir.as_deref(), Some(Path::new("/data")));
        let all = file.lines().map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => setting,
            _ => line,
        });
        let all: Vec<_> = all.filter(|line| line.contains(" = ") && !line.starts_with('#')).collect();
        set(&all.join("\n"));
        assert_eq!(all.len(), command.get_arguments().filter(|argument| is_setting(argument)).count());
        assert!(all.len() > 15, "{all:?}");
    }
}
