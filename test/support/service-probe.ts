/**
 * The pure part of the development service in virtual time, and everything it publishes, for tests on Node and XS.
 * @module
 */
import type { Intercept } from "../../service/delivery.js";
import { JobService, type JobServiceOptions } from "../../service/jobs.js";
import { StreamService } from "../../service/streams.js";
import { decodeUtf8, encodeUtf8 } from "../../src/bytes.js";
import { VirtualClock } from "./virtual-clock.js";

export interface Published {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into JSON of any shape
export type Json = any;

/** Milliseconds since 1970 when a probe's clock starts. */
export const EPOCH = 1_700_000_000_000;

export class ServiceProbe {
  readonly clock = new VirtualClock();
  readonly jobs: JobService;
  readonly streams: StreamService;
  /** What was published and not yet taken. */
  published: Published[] = [];

  constructor(options: Partial<JobServiceOptions> & { intercept?: Intercept } = {}) {
    const publish = (topic: string, payload: Uint8Array, qos: 0 | 1) => {
      this.published.push({ topic, payload, qos });
    };
    const { clock } = this;
    this.jobs = new JobService({ clock, publish, epoch: EPOCH, ...options });
    this.streams = new StreamService({ clock, publish, intercept: options.intercept });
  }

  /** What was published since the last call, the topics without their common beginning, JSON parsed. */
  take(): { topic: string; body: Json; qos: 0 | 1 }[] {
    const taken = this.published;
    this.published = [];
    return taken.map(({ topic, payload, qos }) => ({
      topic: topic.replace(/^\$aws\/things\//, ""),
      body: JSON.parse(decodeUtf8(payload)),
      qos,
    }));
  }

  /** The topics of what was published since the last call. */
  topics(): string[] {
    return this.take().map(({ topic }) => topic);
  }

  /** Sends a Jobs request and returns the body of its only answer; notifications stay to be taken. */
  ask(thing: string, operation: string, body: unknown = {}): Json {
    const topic = `$aws/things/${thing}/jobs/${operation}`;
    this.published = [];
    const payload = body instanceof Uint8Array ? body : encodeUtf8(JSON.stringify(body));
    if (!this.jobs.handle(topic, payload)) throw new Error(`${topic} is not served`);
    const answers = this.published.filter((message) => message.topic.startsWith(`${topic}/`));
    if (answers.length !== 1) throw new Error(`${answers.length} answers on ${topic}`);
    this.published = this.published.filter((message) => message !== answers[0]);
    return JSON.parse(decodeUtf8(answers[0].payload));
  }

  update(thing: string, jobId: string, body: object): Json {
    return this.ask(thing, `${jobId}/update`, body);
  }
}
