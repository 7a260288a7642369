/**
 * Messages that are made to take memory, time or the engine: all lengths at their limits and beyond, what nests, what
 * repeats, names that nobody has seen before; and what the fuzzer makes.
 * @module
 */
import { mutate } from "../fuzz/mutate.js";
import { Random } from "../fuzz/random.js";
import type { FuzzTarget } from "../fuzz/target.js";
import { dataBlock, rejection } from "../fuzz/targets/cbor.js";
import { ecdsaSignature, publicKey } from "../fuzz/targets/der.js";
import { espImage } from "../fuzz/targets/esp-image.js";
import { jobDocument } from "../fuzz/targets/job-document.js";
import { mqttFraming } from "../fuzz/targets/mqtt.js";

/** The parser by its letter in `hostile.entry.ts`, and what it is given. */
export interface Message {
  readonly title: string;
  readonly parser: string;
  readonly bytes: Uint8Array;
}

const ascii = (text: string) => Buffer.from(text, "latin1");
const message = (title: string, parser: string, bytes: Uint8Array | string): Message => ({
  title,
  parser,
  bytes: typeof bytes === "string" ? ascii(bytes) : bytes,
});

function* fuzzed(parser: string, target: FuzzTarget, count: number): Generator<Message> {
  const random = new Random(7);
  for (const bytes of target.corpus) yield message(`${target.name}: corpus`, parser, bytes);
  const { corpus, dictionary = [], maxLength = LONG } = target;
  for (let n = 0; n < count; n++) {
    const input = random.pick(corpus);
    const bytes =
      target.generate?.(random) ?? mutate(input, random, random.pick(corpus), dictionary, maxLength);
    yield message(`${target.name}: ${n}`, parser, bytes);
  }
}

const LONG = 40_000;
const job = (document: string, rest = "") =>
  `{"execution":{"jobId":"j","executionNumber":1${rest},"jobDocument":${document}}}`;
const ota = (members: string) => job(`{"afr_ota":{"protocols":["MQTT","HTTP"],"streamname":"s",${members}}}`);
const file = (members: string) => ota(`"files":[{"filesize":1,"fileid":0,"filepath":"/"${members}}]`);
const repeat = (text: string, length: number) => text.repeat(Math.floor(length / text.length));

/** Members with names that nothing else has. */
let names = 0;
const members = (count: number) =>
  Array.from({ length: count }, () => `"n${(names++).toString(36)}":1`).join();

function* jobs(): Generator<Message> {
  const text = "A".repeat(LONG - 200);
  const half = text.slice(LONG / 2);
  yield message("a text as document", "j", job(`"${text}"`));
  yield message("a text as execution", "j", `{"execution":"${text}"}`);
  yield message("a text as statusDetails", "j", job("{}", `,"statusDetails":"${text}"`));
  yield message("a text as afr_ota", "j", job(`{"afr_ota":"${text}"}`));
  yield message("a text as protocols", "j", ota(`"protocols":"${text}"`));
  yield message("a text as files", "j", ota(`"files":"${text}"`));
  yield message("a text as file", "j", ota(`"files":["${text}"]`));
  for (const name of ["jobId", "executionNumber", "clientToken"])
    yield message(
      `a long ${name}`,
      "j",
      `{"${name}":"${half}","execution":{"${name}":"${half}","jobDocument":1}}`,
    );
  for (const name of [
    "update_data_url",
    "certfile",
    "filepath",
    "sig-sha256-ecdsa",
    "sig-other",
    "filesize",
  ]) {
    yield message(`a long ${name}`, "j", file(`,"${name}":"${text}"`));
    yield message(`a ${name} in escapes`, "j", file(`,"${name}":"${repeat("\\u0041", LONG - 300)}"`));
  }
  yield message("the longest URL", "j", file(`,"update_data_url":"http://h/${"x".repeat(8000)}"`));
  yield message("a long name", "j", job(`{"${text}":1}`));
  yield message("a long name in escapes", "j", job(`{"${repeat("\\u0041", LONG - 300)}":1}`));
  yield message("a long number", "j", file(`,"filesize":${"9".repeat(LONG - 300)}`));
  yield message("blanks", "j", job(`${" ".repeat(LONG - 300)}1`));
  yield message("arrays", "j", job("[".repeat(LONG - 300)));
  yield message("objects", "j", job(repeat('{"a":', LONG - 300)));
  yield message("many short arrays", "j", job(`[${repeat("[],", LONG - 300)}1]`));
  yield message("many empty texts", "j", job(`[${repeat('"",', LONG - 300)}1]`));
  yield message("many members of one name", "j", job(`{${repeat('"afr_ota":1,', LONG - 300)}"a":1}`));
  yield message("many files", "j", ota(`"files":[${repeat('{"filesize":1,"fileid":0},', LONG - 300)}{}]`));
  yield message(
    "50 files",
    "j",
    ota(`"files":[${Array(50).fill(`{"filesize":1,"fileid":0,"certfile":"${"c".repeat(600)}"}`)}]`),
  );
  yield message("many protocols", "j", ota(`"protocols":[${repeat('"MQTT",', LONG - 300)}1],"files":[]`));
  yield message("UTF-8 of three bytes", "j", Buffer.from(job(`"${"€".repeat(13_000)}"`)));
  yield message("no UTF-8", "j", job(`"${"\xff".repeat(LONG - 300)}"`));
  yield message("longer than any job message", "j", job(`"${text}${half}"`));
  // 20,000 of them stayed for ever.
  for (let n = 0; n < 8; n++) {
    yield message("names nobody knows", "j", job(`{${members(3000)}}`));
    yield message("names nobody knows, in a file", "j", file(`,${members(3000)}`));
    yield message("names nobody knows, in a reply", "r", `{${members(3000)}}`);
  }
  for (const value of ['{"toString":1}', `"${text.slice(LONG * 0.7)}"`, repeat("[", LONG * 0.3)])
    yield message(
      "a reply of other values",
      "r",
      `{"clientToken":${value},"code":${value},"message":${value}}`,
    );
}

function* streams(): Generator<Message> {
  const hex = (digits: string) => Buffer.from(digits, "hex");
  const parts = (head: string, part: string, count: number, tail: string) =>
    Buffer.concat([hex(head), ...Array(count).fill(hex(part)), hex(tail)]);
  yield message("arrays", "c", parts("a16178", "81", LONG, "00"));
  yield message("tags", "c", parts("a16178", "c1", LONG, "00"));
  yield message("an array of 2^53", "c", hex("a161789b001fffffffffffff"));
  yield message("a text of 2^64", "c", hex("a161787bffffffffffffffff"));
  yield message("a payload of 4 GB", "c", hex("a461660061690061 6c006170 5affffffff".replaceAll(" ", "")));
  yield message("a payload in chunks of one byte", "c", parts("a161705f", "4100", LONG / 2, "ff"));
  yield message("texts in chunks of one byte", "c", parts("a161787f", "6141", LONG / 2, "ff"));
  yield message("many empty maps", "c", parts("a161789f", "a0", LONG, "ff"));
  yield message("one key again and again", "c", parts("bf", "617800", 13_000, "ff"));
  yield message("a long key", "c", Buffer.concat([hex("a179c350"), Buffer.alloc(50_000, 0x41), hex("00")]));
  yield message(
    "a long sentence",
    "c",
    Buffer.concat([hex("a2616f6158616d799c40"), Buffer.alloc(40_000, 0x41)]),
  );
  for (let n = 0; n < 8; n++) {
    const keys = Array.from({ length: 3000 }, () => {
      const key = ascii(`n${(names++).toString(36)}`);
      return Buffer.concat([Buffer.of(0x60 + key.length), key, Buffer.of(1)]);
    });
    yield message("keys nobody knows", "c", Buffer.concat([hex("bf"), ...keys, hex("ff")]));
  }
}

function* packets(): Generator<Message> {
  const hex = (digits: string) => Buffer.from(digits, "hex");
  const CONNACK = hex("20020000");
  const wire = (title: string, ...bytes: Uint8Array[]) =>
    message(title, "m", Buffer.concat([CONNACK, ...bytes]));
  yield wire("a message of 256 MB", hex("30ffffff7f000161"), Buffer.alloc(20_000));
  yield wire("a topic of 64 KB", hex("3081800420ffff".replace("20", "")), Buffer.alloc(40_000, 0x61));
  yield wire(
    "many topics",
    ...Array.from({ length: 2000 }, () => {
      const topic = ascii(`t/${(names++).toString(36)}`);
      return Buffer.concat([Buffer.of(0x30, topic.length + 2, 0, topic.length), topic]);
    }),
  );
  yield wire("messages to be acknowledged", ...Array(3000).fill(hex("32050001610001")));
  yield wire("acknowledgements", ...Array(5000).fill(hex("40020007")));
  yield wire("topics of many levels", hex("30d00f0000".slice(0, 6)), hex("07ce"), Buffer.alloc(1998, 0x2f));
  yield wire("a control packet of 256 MB", hex("90ffffff7f"), Buffer.alloc(1000));
}

/** What comes over MQTT. */
export function mqttCorpus(): Message[] {
  return [
    ...jobs(),
    ...streams(),
    ...packets(),
    ...fuzzed("j", jobDocument, 150),
    ...fuzzed("c", dataBlock, 150),
    ...fuzzed("c", rejection, 50),
    ...fuzzed("m", mqttFraming, 100),
  ];
}

function* responses(): Generator<Message> {
  const head = "HTTP/1.1 206 x\r\n";
  const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n`;
  yield message("a line without end", "h", `HTTP/1.1 200 ${"x".repeat(LONG)}`);
  yield message("a name without end", "h", head + "x".repeat(LONG));
  yield message("a value without end", "h", `${head}a: ${"x".repeat(LONG)}`);
  yield message("a head without end", "h", head + repeat("a: b\r\n", LONG));
  yield message("the longest location", "h", `HTTP/1.1 302 x\r\nLocation: /${" ".repeat(15_000)}x\r\n\r\n`);
  yield message(
    "a location in UTF-8",
    "h",
    `HTTP/1.1 302 x\r\nLocation: /${"\xc3\xbc".repeat(4000)}\r\n\r\n`,
  );
  yield message("interim responses", "h", repeat("HTTP/1.1 100 x\r\n\r\n", LONG));
  yield message("chunks of one byte", "h", `${chunked}${repeat("1\r\nx\r\n", LONG)}0\r\n\r\n`);
  yield message("an extension without end", "h", `${chunked}1;${"x".repeat(LONG)}`);
  yield message("a trailer without end", "h", `${chunked}0\r\n${repeat("a: b\r\n", LONG)}`);
  yield message("a body of 40 KB", "h", `${head}Content-Length: ${LONG}\r\n\r\n${"x".repeat(LONG)}`);
  for (let n = 0; n < 8; n++) {
    const fields = Array.from({ length: 1000 }, () => `n${(names++).toString(36)}: 1\r\n`).join("");
    yield message("fields nobody knows", "h", `${head}${fields}Content-Length: 0\r\n\r\n`);
  }
  for (const value of [
    "9".repeat(15_000),
    `bytes ${"1".repeat(15_000)}-`,
    `http://${"a/".repeat(7000)}`,
    `/${"é".repeat(7000)}`,
    "?".repeat(15_000),
    " ".repeat(15_000),
    `Wed, ${"2 ".repeat(7000)}`,
  ])
    yield message("a field value", "f", value);
}

function* files(): Generator<Message> {
  const hex = (digits: string) => Buffer.from(digits, "hex");
  for (const parser of ["s", "k"]) {
    yield message("sequences in sequences", parser, Buffer.concat(Array(10_000).fill(hex("3082ffff"))));
    yield message(
      "many elements",
      parser,
      Buffer.concat([hex("30829c40"), ...Array(20_000).fill(hex("0500"))]),
    );
    yield message(
      "a number of 32 KB",
      parser,
      Buffer.concat([hex("308280040282 8000".replace(" ", "")), Buffer.alloc(32_768, 0x7f)]),
    );
  }
  const image = Buffer.alloc(LONG, 0);
  image.set(hex("e9100000"));
  yield message("an image of zeros", "i", image);
  yield message("an image of ones", "i", Buffer.alloc(LONG, 0xff));
}

/** What comes from an image server, and in what it sends. */
export function flashCorpus(): Message[] {
  return [
    ...responses(),
    ...files(),
    ...fuzzed("s", ecdsaSignature, 150),
    ...fuzzed("k", publicKey, 100),
    ...fuzzed("i", espImage, 150),
  ];
}
