/**
 * Differences from the original agent that would show in every trace, each with its reason; they are taken out
 * of both sides before these are compared.
 * @module
 */

export interface Rule {
  /** Why ours differs. */
  readonly reason: string;
  /** A line this rule applies to, as the agent of `side` writes it. */
  readonly side: "ours" | "original";
  readonly pattern: RegExp;
  /** What to put for the match; undefined: the line does not count. */
  readonly instead?: string;
}

export const RULES: readonly Rule[] = Object.freeze([
  {
    reason: "messages lie in buffers of the connection: there is none to give back to the application",
    side: "original",
    pattern: /^CB Processed$/,
  },
  {
    reason:
      "the connection keeps a subscription for as long as it is wanted; the original repeats it with each request",
    side: "original",
    pattern: /^SUB q1 jobs\/notify-next$/,
  },
  {
    reason: "see the rule for the original: once, at the start",
    side: "ours",
    pattern: /^SUB q1 jobs\/notify-next$/,
  },
  {
    reason: "an unsubscription of a stream without a name is a mistake of the original",
    side: "original",
    pattern: /^UNSUB q1 streams\/$/,
  },
  {
    reason:
      "replies are asked for, since not every broker sends them to one who has not subscribed, and are read",
    side: "ours",
    pattern: /^(UN)?SUB q1 jobs\/(\$next\/get|\+\/update)\/\+$/,
  },
  {
    reason: "a refusal by the stream service ends the wait at once",
    side: "ours",
    pattern: /^(UN)?SUB q0 streams\/.*\/rejected\/cbor$/,
  },
  {
    reason: "MQTT knows no QoS of an unsubscription",
    side: "ours",
    pattern: /^UNSUB q\d /,
    instead: "UNSUB ",
  },
  {
    reason: "MQTT knows no QoS of an unsubscription",
    side: "original",
    pattern: /^UNSUB q\d /,
    instead: "UNSUB ",
  },
  {
    reason: "the original drops the last digit of its request counter",
    side: "original",
    pattern: /\{"clientToken":"\d*:thing-1"\}$/,
    instead: '{"clientToken":"<n>:thing-1"}',
  },
  {
    reason: "the request counter is whole",
    side: "ours",
    pattern: /\{"clientToken":"\d+:thing-1"\}$/,
    instead: '{"clientToken":"<n>:thing-1"}',
  },
  {
    reason: "an update can be told from others: by token for its reply, by number for a retried execution",
    side: "ours",
    pattern: /,"executionNumber":\d+,"clientToken":"\d+:thing-1"\}$/,
    instead: "}",
  },
  {
    reason: "beside the words of the original stands the error in readable form",
    side: "ours",
    pattern: /,"code":"[a-z0-9-]+","message":"[^"]+"\}/,
    instead: "}",
  },
  {
    reason:
      "the new image is named, and the job's file, so that after the restart neither can be taken for another",
    side: "ours",
    pattern: /,"image":"[^"]+"(,"file":"[0-9a-f]{8}")?\}/,
    instead: "}",
  },
  {
    reason: "what lies on flash can be kept for a later resume; whether it is, is tested elsewhere",
    side: "ours",
    pattern: /^PAL\.abort discard$/,
    instead: "PAL.abort",
  },
]);

function apply(side: Rule["side"], line: string): string | undefined {
  let text = line;
  for (const rule of RULES) {
    if (rule.side !== side || !rule.pattern.test(text)) continue;
    if (rule.instead === undefined) return undefined;
    text = text.replace(rule.pattern, rule.instead);
  }
  return text;
}

/** A line of our agent, with the rules applied; undefined when it does not count. */
export function ours(line: string): string | undefined {
  return apply("ours", line);
}

/** A line of the original, with the rules applied; undefined when it does not count. */
export function originals(line: string): string | undefined {
  return apply("original", line);
}
