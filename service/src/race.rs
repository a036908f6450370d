//! Writers that decide on the same stock: all but one decide anew.

use std::time::Duration;

use crate::random;

/// How often a change is decided anew when others were faster.
pub(crate) const ATTEMPTS: u32 = 12;

/// How much longer the longest wait becomes with each race that is lost: two writes of a small stock fit in.
const STEP: Duration = Duration::from_millis(16);

/// Waits so that two who lost the same race do not meet again; `attempt`: how many were lost before this one.
pub(crate) async fn stand_back(attempt: u32) {
    let chance = u32::from_str_radix(&random::hexadecimal(1), 16).unwrap_or(0);
    tokio::time::sleep(STEP * (attempt + 1) * chance / 256).await;
}
