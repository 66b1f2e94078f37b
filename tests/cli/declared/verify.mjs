// Verifies a signature as Stripe describes it.
import { createHmac, timingSafeEqual } from "node:crypto";

export function genuine(header, body) {
  const parts = (header ?? "").split(",").map((part) => part.split("="));
  const t = parts.find(([key]) => key === "t")?.[1];
  if (Math.abs(Date.now() / 1000 - Number(t)) > 300) return false;
  const mine = createHmac("sha256", process.env.STRIPE_WEBHOOK_SECRET).update(`${t}.`).update(body).digest();
  return parts.some(([key, value]) => key === "v1" && value.length === 64 && timingSafeEqual(Buffer.from(value, "hex"), mine));
}
