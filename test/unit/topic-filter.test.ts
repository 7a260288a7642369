import { topicMatches } from "../../hosts/mqtt/topic-filter.js";
import { equal } from "../support/assert.js";

/** MQTT 3.1.1 §4.7, its examples and what follows from them. */
describe("topic filters", () => {
  for (const [filter, topic, matches] of [
    ["a/b", "a/b", true],
    ["a/b", "a/b/c", false],
    ["a/b", "a", false],
    ["a/+", "a/b", true],
    ["a/+", "a/b/c", false],
    ["a/+", "a", false],
    ["a/+", "a/", true],
    ["+", "a", true],
    ["+", "/a", false],
    ["+/+", "/a", true],
    ["a/+/c", "a/b/c", true],
    ["a/+/c", "a/b/d", false],
    ["a/#", "a", true],
    ["a/#", "a/b/c", true],
    ["a/#", "b/a", false],
    ["#", "a/b", true],
    ["#", "$SYS/a", false],
    ["+/a", "$SYS/a", false],
    ["$SYS/#", "$SYS/a", true],
    ["A", "a", false],
  ] as const)
    it(`${filter} ${matches ? "matches" : "does not match"} ${topic}`, () =>
      equal(topicMatches(filter, topic), matches));
});
