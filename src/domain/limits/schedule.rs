//! The bounds of a calendar.

use std::time::Duration;

/// Windows of one calendar: a year's campaigns, a week's days. Each costs some searches of cron in
/// every evaluation.
pub const WINDOWS_MAX: usize = 64;
/// Steps of a ramp; each is at least a hundredth of the value, which no HPA notices.
pub const STEPS_MAX: u32 = 100;
/// The longest ramp and the farthest look ahead: a day, beyond which windows say it better.
pub const SPAN_MAX: Duration = Duration::from_secs(24 * 3600);
/// The longest window that repeats: it would always be open.
pub const WINDOW_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
