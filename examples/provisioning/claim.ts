/**
 * Fleet provisioning by claim: a device that has left the factory with a claim certificate, the same for a whole batch, gets
 * a certificate and a name of its own at its first connection. Over the agent's own MQTT port; nothing else is needed.
 * Source: AWS IoT Core Developer Guide, "Device provisioning MQTT API" (CreateKeysAndCertificate, RegisterThing; JSON).
 * @module
 */

/** Of `MqttConnection` of xs-ota-agent what a claim takes. */
export interface ClaimConnection {
  publish(topic: string, payload: Uint8Array, qos: 0 | 1, done?: (error?: Error) => void): void;
  subscribe(subscription: ClaimSubscription, done?: (error?: Error) => void): void;
  unsubscribe(subscription: ClaimSubscription): void;
}

export interface ClaimSubscription {
  readonly filter: string;
  readonly qos: 0 | 1;
  buffer(topic: string, byteLength: number): Uint8Array | undefined;
  message(topic: string, payload: Uint8Array): void;
}

export interface ClaimOptions {
  readonly mqtt: ClaimConnection;
  /** Name of the provisioning template. */
  readonly template: string;
  /** What the template asks for, such as `{ SerialNumber: "0042" }`. */
  readonly parameters: Readonly<Record<string, string>>;
  /** One-shot timers, as `Clock` of xs-ota-agent. */
  readonly clock: { set(callback: () => void, ms: number): unknown; clear(timer: unknown): void };
  /** Base64 without line ends to bytes. */
  readonly decodeBase64: (text: string) => Uint8Array;
  /** For each answer. Default 30 s. */
  readonly timeoutMs?: number;
}

/** Who the device is from now on; to be stored before anything else. */
export interface Identity {
  /** Undefined when the template names no thing. */
  readonly thingName: string | undefined;
  /** DER. */
  readonly certificate: Uint8Array;
  /** PKCS #8 in DER, RSA. */
  readonly key: Uint8Array;
  /** `DeviceConfiguration` of the template. */
  readonly configuration: Readonly<Record<string, string>>;
}

/** A certificate and a key of 2048 bits take 3 KB, the token less than 1. */
const ANSWER_LIMIT = 8192;
const TIMEOUT_MS = 30_000;
const CREATE = "$aws/certificates/create/json";
/** Algorithm of a PKCS #8 key (RFC 5208): version 0, rsaEncryption (1.2.840.113549.1.1.1) without parameters. */
const RSA = [2, 1, 0, 48, 13, 6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1, 5, 0];

interface Answer {
  readonly certificatePem?: string;
  readonly privateKey?: string;
  readonly certificateOwnershipToken?: string;
  readonly thingName?: string;
  readonly deviceConfiguration?: Readonly<Record<string, string>>;
  readonly errorCode?: string;
  readonly errorMessage?: string;
}

/**
 * Asks for a certificate, and registers the device under it. What fails may be tried again from the beginning: a certificate that
 * was never registered is deleted by AWS.
 * @throws Error with what AWS refuses, or that it does not answer
 */
export async function claim(options: ClaimOptions): Promise<Identity> {
  const { template, parameters, decodeBase64 } = options;
  const made = await ask(options, CREATE, new Uint8Array(0));
  const { certificatePem, privateKey, certificateOwnershipToken } = made;
  if (!certificatePem || !privateKey || !certificateOwnershipToken)
    throw new Error("provisioning: AWS gives no certificate, key and token");
  const identity = {
    certificate: derOf(certificatePem, decodeBase64),
    key: pkcs8Of(privateKey, decodeBase64),
  };
  const topic = `$aws/provisioning-templates/${template}/provision/json`;
  const registered = await ask(
    options,
    topic,
    bytesOf(JSON.stringify({ certificateOwnershipToken, parameters })),
  );
  return {
    ...identity,
    thingName: registered.thingName,
    configuration: registered.deviceConfiguration ?? {},
  };
}

/** Subscribes to the answers first: AWS sends them to nobody else. */
function ask(options: ClaimOptions, topic: string, payload: Uint8Array): Promise<Answer> {
  const { mqtt, clock, timeoutMs = TIMEOUT_MS } = options;
  return new Promise((resolve, reject) => {
    let open = 2;
    let isOver = false;
    const finish = (act: () => void) => {
      if (isOver) return;
      isOver = true;
      clock.clear(timer);
      for (const subscription of subscriptions) mqtt.unsubscribe(subscription);
      act();
    };
    const fail = (text: string) => finish(() => reject(new Error(`provisioning: ${text}`)));
    const listen = (end: string, take: (answer: Answer) => void): ClaimSubscription => ({
      filter: `${topic}/${end}`,
      qos: 1,
      buffer: (_topic, length) => (length <= ANSWER_LIMIT ? new Uint8Array(length) : undefined),
      message(_topic, bytes) {
        const answer = parse(bytes);
        if (answer) take(answer);
        else fail(`AWS answers with something that is no JSON on ${topic}`);
      },
    });
    const subscriptions = [
      listen("accepted", (answer) => finish(() => resolve(answer))),
      listen("rejected", ({ errorCode = "", errorMessage = "no reason given" }) =>
        fail(`AWS refuses: ${errorMessage} (${errorCode})`),
      ),
    ];
    const timer = clock.set(() => fail(`AWS does not answer on ${topic}`), timeoutMs);
    for (const subscription of subscriptions)
      mqtt.subscribe(subscription, (error) => {
        if (error) fail(`the subscription to ${subscription.filter} is refused: ${error.message}`);
        else if (--open === 0 && !isOver)
          mqtt.publish(topic, payload, 1, (problem) => {
            if (problem) fail(`the request on ${topic} was not sent: ${problem.message}`);
          });
      });
  });
}

/** The first block of a PEM. */
function derOf(pem: string, decodeBase64: ClaimOptions["decodeBase64"]): Uint8Array {
  const start = pem.indexOf("-----\n");
  const end = pem.indexOf("\n-----END", start);
  if (start < 0 || end < 0) throw new Error("provisioning: what AWS gives is no PEM");
  return decodeBase64(
    pem
      .slice(start + 6, end)
      .split("\n")
      .join(""),
  );
}

/** AWS gives the key as PKCS #1, the SDK's TLS takes PKCS #8: the same in a wrapping. */
function pkcs8Of(pem: string, decodeBase64: ClaimOptions["decodeBase64"]): Uint8Array {
  const key = derOf(pem, decodeBase64);
  if (pem.indexOf("BEGIN RSA PRIVATE KEY") < 0) return key;
  return sequence(48, RSA, sequence(4, [], key));
}

/** A DER element of up to 64 KB: tag, length in two bytes, content. */
function sequence(tag: number, head: readonly number[], rest: Uint8Array): Uint8Array {
  const length = head.length + rest.length;
  const bytes = new Uint8Array(4 + length);
  bytes.set([tag, 0x82, length >> 8, length & 255, ...head]);
  bytes.set(rest, 4 + head.length);
  return bytes;
}

function parse(bytes: Uint8Array): Answer | undefined {
  try {
    let text = "";
    for (let at = 0; at < bytes.length; at++) text += String.fromCharCode(bytes[at]);
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Answer) : undefined;
  } catch {
    return undefined;
  }
}

/** Names and serial numbers are ASCII. @throws RangeError for what is not */
function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 126) throw new RangeError("provisioning: parameters must be ASCII");
    bytes[at] = code;
  }
  return bytes;
}
