//! The guest.
use datafusion::prelude::*;
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ctx = SessionContext::new();
    let sql = std::env::args().nth(1).unwrap_or_default();
    let b = ctx.sql(&sql).await?.collect().await?;
    std::hint::black_box(b);
    Ok(())
}
