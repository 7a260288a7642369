/**
 * MQTT topic filters (MQTT 3.1.1 §4.7).
 * @module
 */

/** True when a message on `topic` is for a subscription to `filter`. */
export function topicMatches(filter: string, topic: string): boolean {
  if (filter === topic) return true;
  const levels = topic.split("/");
  const wanted = filter.split("/");
  // §4.7.2: a wildcard at the start does not match a topic that begins with $
  if (topic.startsWith("$") && (wanted[0] === "+" || wanted[0] === "#")) return false;
  for (const [i, level] of wanted.entries()) {
    if (level === "#") return true;
    if (i >= levels.length || (level !== "+" && level !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}
