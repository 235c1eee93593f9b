//! What operators type: `vestibule rollout …`.

#![expect(missing_docs, reason = "the help texts of what is flattened stand where it is defined")]

use std::path::PathBuf;

use clap::Subcommand;

use crate::app::helpdesk::arguments::{OfTenant, Shape};
use crate::storage::rollout_funnel::By;

/// `vestibule rollout …`.
#[derive(Debug, Subcommand)]
pub enum Rollout {
    /// Show the waves with their state and progress, and what was observed.
    Show {
        #[command(flatten)]
        tenant: OfTenant,
        #[command(flatten)]
        shape: Shape,
    },
    /// Show in numbers whom the settings are about, or would be about with an apply file. Nothing is changed.
    Effect {
        /// An apply file whose settings are looked at instead of those that are stored.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        #[command(flatten)]
        tenant: OfTenant,
        #[command(flatten)]
        shape: Shape,
    },
    /// Pause a wave: nobody new is asked; who has begun can finish.
    Pause {
        /// The wave's name.
        #[arg(value_name = "WAVE")]
        wave: String,
        /// People who were asked already go on as before, too.
        #[arg(long)]
        everybody: bool,
        #[command(flatten)]
        tenant: OfTenant,
        #[command(flatten)]
        shape: Shape,
    },
    /// Let a wave go on.
    Resume {
        /// The wave's name.
        #[arg(value_name = "WAVE")]
        wave: String,
        #[command(flatten)]
        tenant: OfTenant,
        #[command(flatten)]
        shape: Shape,
    },
    /// Show how far people come on their way to an authenticator, where they stop, and how long each step takes.
    Funnel {
        /// In parts: wave, group, platform or language.
        #[arg(long, default_value = "wave", value_name = "WHAT", value_parser = by)]
        by: By,
        /// Attempts of so many days.
        #[arg(long, default_value_t = 30, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=400))]
        days: u32,
        /// Of people in this group.
        #[arg(long, value_name = "GROUP")]
        group: Option<String>,
        /// Of people in this wave.
        #[arg(long, value_name = "WAVE")]
        wave: Option<String>,
        /// On this platform.
        #[arg(long, value_name = "PLATFORM")]
        platform: Option<String>,
        /// In this language.
        #[arg(long, value_name = "LANGUAGE")]
        language: Option<String>,
        #[command(flatten)]
        tenant: OfTenant,
        #[command(flatten)]
        shape: Shape,
    },
}

fn by(text: &str) -> Result<By, String> {
    By::named(text).ok_or_else(|| "is none of wave, group, platform, language, all".to_owned())
}
