pub async fn run() {}
pub enum ServiceError {}
