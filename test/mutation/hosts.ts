/**
 * Deliberate faults in the hosts: what stands on the SDK, on ESP-IDF, on Node, the MQTT connection, and the chip in
 * software that the other tests trust.
 * @module
 */
import { type Mutation, mutations } from "./mutation.js";

const HTTP = "test/unit/moddable-http.test.ts";
const MQTT = "test/unit/moddable-mqtt.test.ts";
const PORTS = "test/unit/moddable-ports.test.ts";
const CONNECTION = "test/unit/mqtt-connection.test.ts";

export const HOSTS: readonly Mutation[] = [
  ...mutations(
    "hosts/moddable/crypto.ts",
    ["test/unit/moddable-crypto.test.ts"],
    [
      ["padding may be short", "padding < 8", "padding < 0"],
      ["a value may be above the modulus", "value >= n || ", ""],
      ["a signature may be longer than the modulus", "signature.length !== modulus.length || ", ""],
      ["a modulus may be even", " || n % 2n === 0n", ""],
      ["a point may lie off the curve", " || (Y * Y - ((X * X + a) * X + b)) % m !== 0n", ""],
      ["x may be the prime or more", "X >= m || ", ""],
      ["y may be the prime or more", "Y >= m || ", ""],
      [
        "the hash algorithm is not compared",
        `${"$"}{DIGEST_INFO}${"$"}{toHex(digest)}`,
        `${"$"}{toHex(digest)}`,
      ],
      ["any RSA value is good", ".process(value) === encoded", ".process(value) > 0n && encoded > 0n"],
      [
        "s is taken for r",
        "signature.set(r);\n    signature.set(s, 32);",
        "signature.set(s);\n    signature.set(r, 32);",
      ],
      ["a view is hashed as the buffer it lies in", "digest.slice().buffer", "digest.buffer"],
    ],
  ),
  ...mutations(
    "hosts/moddable/clock.ts",
    [PORTS],
    [
      ["the clock stands still", "if (passed > 0) this.#now += passed;", ""],
      ["the clock may go backwards", "if (passed > 0) this.#now += passed;", "this.#now += passed;"],
      ["the clock counts twice", "this.#ticks = ticks;\n    return", "return"],
      ["a fraction is cut off", "Math.max(0, Math.ceil(ms))", "Math.max(0, Math.floor(ms))"],
      ["a long wait is handed to the SDK's timer", "if (ms <= LONGEST)", "if (ms <= 1e15)"],
      [
        "a long wait ends early",
        "left > LONGEST ? Timer.set(wait, LONGEST)",
        "left > LONGEST ? Timer.set(() => callback(), LONGEST)",
      ],
      ["a long timer cannot be cleared", "timer instanceof LongTimer ? timer.id : timer", "timer"],
    ],
  ),
  ...mutations(
    "hosts/moddable/flash.ts",
    [PORTS, "test/unit/ports-conformance.test.ts"],
    [
      [
        "reads are not checked",
        "checkRange(offset, buffer.length, this.#size);\n    this.#flash.read",
        "this.#flash.read",
      ],
      [
        "writes are not checked",
        "checkRange(offset, buffer.length, this.#size);\n    this.#flash.write",
        "this.#flash.write",
      ],
      ["blocks are not checked", "checkBlocks(start, end, this.#blocks);\n", ""],
      [
        "an end of undefined reaches the SDK",
        "if (end > start) this.#flash.eraseBlock(start, end);",
        "this.#flash.eraseBlock(start, ...([arguments[1]] as [number]));",
      ],
      ["sectors of classic flash are not checked", "checkBlocks(start, end, this.status().blocks);\n", ""],
      ["one sector too many is erased", "sector < end; sector++", "sector <= end && sector < 8; sector++"],
      ["an offset may be a fraction", "Number.isInteger(offset) && offset >= 0", "offset >= 0"],
      [
        "an offset may be negative",
        "Number.isInteger(offset) && offset >= 0 &&",
        "Number.isInteger(offset) &&",
      ],
      ["a range may end behind the partition", "offset + length <= size", "offset <= size"],
      ["a block may be a fraction", "Number.isInteger(start) && Number.isInteger(end) &&", ""],
      ["a range of blocks may be backwards", "start <= end && end <= blocks", "end <= blocks"],
      ["a closed partition can be used", 'if (!this.#open) throw new Error("the partition is closed");', ""],
    ],
  ),
  ...mutations(
    "hosts/moddable/store.ts",
    [PORTS],
    [["another type passes for text", 'typeof value === "string" ? value : undefined', "value as string"]],
  ),
  ...mutations(
    "hosts/moddable/two-keys.ts",
    [PORTS],
    [
      ["what is there is written again", "if (this.get(key) === value) return;", ""],
      ["the one value there is gets replaced", "newest ? 1 - newest.index : 0", "newest ? newest.index : 0"],
      ["the older of two values counts", "return isOlder ? {", "return !isOlder && b !== undefined ? {"],
    ],
  ),
  ...mutations(
    "hosts/moddable/network-keeper.ts",
    ["test/unit/network-keeper.test.ts"],
    [
      [
        "a lost network is not looked for again",
        "this.#timer = this.#options.clock.set(() => this.#connect(), retryMs);",
        "",
      ],
      [
        "an attempt has no end",
        'this.#timer = clock.set(() => this.#lost("no address in time"), connectTimeoutMs);',
        "",
      ],
      ["a station is asked to connect while it does", "this.#station.disconnect();", ""],
      ["TLS begins in 1970", "if (this.timeKnown) this.#becomeReady();", "this.#becomeReady();"],
      ["any time is taken", "!(Number(value) >= LEAST_SECONDS)", "!(Number(value) >= 0)"],
      ["one time server is asked for ever", "servers[this.#asked++ % servers.length]", "servers[0]"],
      [
        "the time is asked for once",
        "this.#timeTimer = clock.set(() => this.#askTime(), TIME_AGAIN_MS);",
        "",
      ],
      ["the time is given up", "this.#timeTimer = clock.set(() => this.#askTime(), retryMs);", ""],
      ["it is ready more than once", "if (this.#ready) return;", ""],
      [
        "a fault of the application leaves the device offline",
        "      action();\n    } catch (error) {",
        "      action();\n    } catch (error) {\n      if (error !== 0) throw error;",
      ],
      [
        "waits for the network grow for ever",
        "new Reconnect(FIRST_WAIT_MS, longestWaitMs, random)",
        "new Reconnect(FIRST_WAIT_MS, 1e9, random)",
      ],
      ["what was closed goes on", "if (this.#closed) return;", ""],
    ],
  ),
  ...mutations(
    "hosts/moddable/log.ts",
    [PORTS],
    [["everything is logged", 'if (level !== "debug") trace', "trace"]],
  ),
  ...mutations(
    "hosts/moddable/network.ts",
    [HTTP, MQTT],
    [
      [
        "an exception escapes into native code",
        "          failed = true;\n",
        "          if (error) throw error;\n          failed = true;\n",
      ],
      ["a broken connection goes on", "if (failed) return;", ""],
      ["its owner does not hear of a failure", "          onError(error);\n", ""],
      [
        "an address is looked up",
        "if (/^\\d+\\.\\d+\\.\\d+\\.\\d+$/.test(host)) return onResolved(host, host);",
        "",
      ],
      ["the port is looked up with the host", 'name.replace(/:\\d+$/, "")', "name"],
      ["a name without an address is no error", "else onError(", "else void ("],
      ["TLS is left out", "const socket = tls ? {", "const socket = tls && false ? {"],
    ],
  ),
  ...mutations(
    "hosts/moddable/mqtt.ts",
    [MQTT],
    [
      ["TLS goes to the port of plain TCP", "(tls ? 8883 : 1883)", "1883"],
      ["a client that is given is not used", "options.Client ?? withClock(clock)", "withClock(clock)"],
    ],
  ),
  ...mutations(
    "hosts/moddable/http-client.ts",
    [HTTP],
    [
      [
        "an old response goes on after a cancellation",
        "      exchange.over = true;\n      if (client) this.#drop(client);\n    };\n  }",
        "    };\n  }",
      ],
      [
        "a stopped response keeps its connection",
        "      if (client) this.#drop(client);\n      done(error);",
        "      done(error);",
      ],
      [
        "the end is told twice",
        "      if (exchange.over) return;\n      exchange.over = true;\n      handler.done(error);",
        "      exchange.over = true;\n      handler.done(error);",
      ],
      [
        "more is read than the buffer holds",
        "const length = Math.min(count, buffer.length);",
        "const length = count;",
      ],
      [
        "the handler's answer to a piece is ignored",
        "if (!this.handler.data(length)) return false;",
        "this.handler.data(length);",
      ],
      [
        "the handler's answer to the head is ignored",
        "if (!handler.headers(status, received)) stop();\n          else if",
        "handler.headers(status, received);\n          if",
      ],
      [
        "a connection is used for any origin",
        "if (this.#client && this.#origin === origin)",
        "if (this.#client)",
      ],
      ["no connection is kept", "if (this.#client && this.#origin === origin) return this.#client;", ""],
      [
        "a dead connection is used again",
        "if (this.#client === client) this.#client = undefined;\n      },",
        "      },",
      ],
      ["the port of TLS is 80", "(secure ? 443 : 80)", "80"],
      ["a query needs a slash in front", 'parts[4].startsWith("/")', "true"],
      [
        "a failure is told from inside the call",
        "clock.set(() => done(error as Error), 0);",
        "done(error as Error);",
      ],
      [
        "a response that was cut counts as whole",
        'done(error ? new Error(error.message || "the connection was closed") : undefined)',
        "done()",
      ],
    ],
  ),
  ...mutations(
    "hosts/moddable/mqtt-classic.ts",
    ["test/unit/mqtt-classic.test.ts"],
    [
      [
        "a view is sent as text",
        "payload.slice().buffer as ArrayBuffer",
        "payload as unknown as ArrayBuffer",
      ],
      [
        "a client of before is listened to",
        "const current = () => client === this.#client;",
        "const current = () => true;",
      ],
      ["the owner's callback is lost", "    theirs?.call(client, ...values);\n", ""],
      ["what the owner sets later takes our place", "      theirs = callback;", ""],
      ["callbacks are shared twice", "if (!this.#shared.has(client)) {", "{"],
      [
        "a client closed by its owner counts as connected",
        "if ((this.#client?.state ?? 2) < 2) this.#lost();",
        "",
      ],
      [
        "a subscription without room is forgotten",
        "this.#clock.set(() => this.#request(filter), SUBSCRIBE_RETRY_MS);",
        "",
      ],
      [
        "a new client is told no subscription",
        "for (const subscription of this.#subscriptions) this.#request(subscription.filter);",
        "",
      ],
      ["the last subscriber leaves without a word", "this.#client?.unsubscribe(subscription.filter);", ""],
      [
        "others are unsubscribed along",
        "if (!this.#online || rest.some(({ filter }) => filter === subscription.filter)) return;",
        "if (!this.#online) return;",
      ],
      ["a failure to send counts as sent", "failure = error as Error;", ""],
    ],
  ),
  ...mutations(
    "hosts/mqtt/mqtt-connection.ts",
    [CONNECTION, "test/unit/mqtt-hostile.test.ts"],
    [
      [
        "a client of before is listened to",
        "client !== undefined && client === this.#client;",
        "client !== undefined;",
      ],
      ["what is under way hears nothing of the loss", "this.#outbox.fail(new Error(reason));", ""],
      [
        "an unsubscribed subscriber gets the message",
        "if (this.#active.includes(active))\n        try",
        "try",
      ],
      [
        "the wait for CONNACK has no end",
        'this.#timer = clock.set(() => this.#lost(new Error("connecting takes too long")), connectTimeout);',
        "",
      ],
      [
        "nothing is subscribed again",
        "for (const active of this.#active) this.#request(active);\n    const client",
        "const client",
      ],
      [
        "a buffer too small is taken",
        "if (!own || own.length < byteLength) continue;",
        "if (!own) continue;",
      ],
    ],
  ),
  ...mutations(
    "hosts/mqtt/mqtt-outbox.ts",
    [CONNECTION],
    [
      [
        "any number of messages may wait",
        "if (this.#queue.length + this.#unacknowledged.length >= queueLength)",
        "if (queueLength < 0)",
      ],
      [
        "a message is not sent again",
        "packet.attempts++ > this.#options.retries &&",
        "packet.attempts++ > 0 &&",
      ],
      ["a repeated message is not marked", "duplicate: true", "duplicate: false"],
      ["a refusal counts as granted", "granted === 0x80 ?", "granted === 0x81 ?"],
      [
        "identifiers are used twice",
        "do this.#id = (this.#id % 0xffff) + 1;\n    while (",
        "this.#id = 1;\n    while (false && ",
      ],
      ["what is acknowledged is not compared", "packet.id === id && packet", "packet"],
    ],
  ),
  ...mutations(
    "hosts/mqtt/mqtt-client.ts",
    [CONNECTION, "test/unit/mqtt-hostile.test.ts", "test/unit/mqtt-client.test.ts"],
    [
      ["a length of five bytes is taken", "this.#shift > 21) throw", "this.#shift > 28) throw"],
      [
        "a field may be longer than its packet",
        "if (length > this.#remaining) throw",
        "if (length > 1e9) throw",
      ],
      [
        "a message is acknowledged unread",
        "    if (this.#step === OFFER) {\n",
        "    if (this.#step === OFFER) {\n      if (this.#first & 6) this.#acks.push(this.#id);\n",
      ],
      [
        "silence is no reason to give up",
        'if (this.#ping !== "none" && !this.#alive) return this.#fail',
        'if (this.#ping === "none" && !this.#alive && false) return this.#fail',
      ],
      ["nothing is sent to keep the connection", 'this.#ping = "due";', ""],
      ["a refused connection counts", "if (this.#connected || body[1]) throw", "if (this.#connected) throw"],
      [
        "more is written than there is room for",
        'if (bytes.length > this.#writable) throw new Error("overflow");',
        "",
      ],
      [
        "the parts of a message may be mixed",
        "if (!data || options || data.length > this.#following) throw",
        "if (!data) throw",
      ],
    ],
  ),
  ...mutations(
    "hosts/mqtt/topic-filter.ts",
    ["test/unit/topic-filter.test.ts"],
    [
      ["a filter matches what is longer", "return wanted.length === levels.length;", "return true;"],
      ["+ matches only itself", 'level !== "+" && ', ""],
    ],
  ),
  ...mutations(
    "hosts/mqtt/reconnect.ts",
    ["test/unit/reconnect.test.ts"],
    [
      ["waits do not grow", "2 ** Math.min(this.#failures, 20)", "2 ** 0"],
      ["waits grow for ever", "Math.min(this.#longest, this.#first", "Math.max(0, this.#first"],
      ["all devices come back at once", "1 - this.#random() / 2", "1"],
      ["a good connection changes nothing", "this.#failures = 0;\n  }", "}"],
    ],
  ),
  ...mutations(
    "hosts/node/mqtt-connection.ts",
    ["test/node/mqtt-connection.test.ts", "test/node/mqtt-conformance.test.ts"],
    [
      ["a peer that speaks no MQTT is kept", "if (this.#online) this.drop();", ""],
      [
        "nothing is subscribed again",
        "for (const active of [...this.#active]) this.#request(active);\n    for",
        "for",
      ],
    ],
  ),
  ...mutations(
    "hosts/node/crypto.ts",
    ["test/node/crypto-conformance.test.ts"],
    [
      [
        "bytes behind the digest are taken",
        "return info.equals(Buffer.concat([DIGEST_INFO, digest]));",
        "return info.subarray(0, 51).equals(Buffer.concat([DIGEST_INFO, digest]));",
      ],
      [
        "the digest alone is enough",
        "info.equals(Buffer.concat([DIGEST_INFO, digest]))",
        "info.subarray(-32).equals(digest)",
      ],
    ],
  ),
  ...mutations(
    "hosts/node/http-client.ts",
    ["test/node/http-client.test.ts"],
    [
      [
        "the handler's answer to the head is ignored",
        "if (!handler.headers(response.statusCode ?? 0, lowerCase(response))) return stop();",
        "handler.headers(response.statusCode ?? 0, lowerCase(response));",
      ],
      [
        "the end is told twice",
        "      if (over) return;\n      over = true;\n      handler.done(error);",
        "      over = true;\n      handler.done(error);",
      ],
      [
        "other schemes are HTTP",
        'if (target.protocol !== "http:" && target.protocol !== "https:")',
        "if (!target.protocol)",
      ],
      ["no connection is kept", "keepAlive: true });", "keepAlive: false });"],
    ],
  ),
  ...mutations(
    "hosts/xs/runtime/http.ts",
    ["test/node/http-client.test.ts"],
    [
      ["a cancelled response goes on", "if (this.#handlers.delete(id)) callNumber(Call.httpCancel, id);", ""],
      ["the end is not told", "    handler?.done(asError(fields.rest()));", "    void handler;"],
    ],
  ),
  ...mutations(
    "hosts/esp32/boot.c",
    ["test/node/boot-hook.test.ts"],
    [
      ["a switch that failed counts", 'otaFail(the, "setting the boot partition", error);', "(void)error;"],
      ["a confirmation that failed counts", 'otaFail(the, "confirming the image", error);', "(void)error;"],
      [
        "the guard outlives the confirmation",
        'otaFail(the, "confirming the image", error);\n	watchdogStop();',
        'otaFail(the, "confirming the image", error);',
      ],
      [
        "an image that is not on trial is guarded",
        "if (ESP_OTA_IMG_PENDING_VERIFY != partitionState(runningPartition(the)))\n		return;",
        "",
      ],
      ["the guard's time is in seconds", "milliseconds * 1000);", "milliseconds);"],
      [
        "the running slot counts as the other",
        "if (!partition || (partition->address == runningPartition(the)->address))",
        "if (!partition)",
      ],
      ["otadata is not read back", "if (memcmp(&entries[index], entry, sizeof(otaEntry)))", "if (0)"],
      [
        "the entry that boots is overwritten by the proof",
        "writeEntry(the, (active < 0) ? 1 : 1 - active, &mark);",
        "writeEntry(the, (active < 0) ? 1 : active, &mark);",
      ],
    ],
  ),
  ...mutations(
    "hosts/emulated/nor-flash.ts",
    ["test/unit/nor-flash.test.ts"],
    [
      ["writing words sets bits", "into[i] &= from[i]", "into[i] = from[i]"],
      ["writing sets bits", "bits[at] &= mask[at]", "bits[at] = mask[at]"],
      [
        "erasing needs no whole sectors",
        "this.#check(offset, length, SECTOR_SIZE);",
        "this.#check(offset, length, 1);",
      ],
      ["a page has no end", "PAGE_SIZE - ((offset + at) % PAGE_SIZE)", "PAGE_SIZE"],
      [
        "a chip without power answers",
        'if (!this.#powered) throw new PowerCut("the flash has no power");',
        "",
      ],
      ["wear is not counted", "this.wear[at / SECTOR_SIZE]++;", ";"],
    ],
  ),
  ...mutations(
    "hosts/emulated/flash-partition.ts",
    ["test/unit/ports-conformance.test.ts", "test/unit/nor-flash.test.ts"],
    [
      ["a range may lie outside", "offset < 0 || offset + length > this.#size", "offset < 0"],
      ["a closed partition can be used", 'if (!this.#open) throw new Error("the partition is closed");', ""],
      ["an encrypted partition is written twice", "if (bits.some((byte) => byte !== 0xff))", "if (false)"],
      [
        "an encrypted partition takes any length",
        "if (offset % CIPHER_UNIT || buffer.length % CIPHER_UNIT)",
        "if (false)",
      ],
    ],
  ),
  ...mutations(
    "hosts/formats/otadata.ts",
    ["test/unit/otadata.test.ts"],
    [
      [
        "the lower sequence number wins",
        "select(entries, isValid, (a, b) => a >= b)",
        "select(entries, isValid, (a, b) => a <= b)",
      ],
      [
        "a checksum plays no part",
        "return !isInvalid(entry) && isCrcRight(entry);",
        "return !isInvalid(entry);",
      ],
      ["an aborted image is good", " || entry.state === STATE_ABORTED", ""],
    ],
  ),
  ...mutations(
    "hosts/formats/partition-table.ts",
    ["test/unit/partition-table.test.ts"],
    [
      ["the MD5 is not compared", "if (bytes[at + 16 + i] !== digest[i]) throw", "if (false) throw"],
      ["partitions may overlap", "require(row.offset >= end,", "require(true,"],
      ["labels may be used twice", "require(!labels.has(row.label),", "require(true,"],
      ["a partition may exceed the flash", "require(row.offset + row.size <= flashSize,", "require(true,"],
      ["an app partition needs no alignment", "row.type === TYPE_APP ? 0x10000 : 0x1000", "0x1000"],
    ],
  ),
  ...mutations(
    "hosts/formats/esp-image-check.ts",
    ["test/unit/image-builder.test.ts", "test/unit/boot-loader.test.ts"],
    [
      ["the checksum is not compared", "if (checksum !== stored)", "if (false)"],
      ["the appended hash is not compared", "if (hex(digest) !== hex(appended))", "if (false)"],
      ["another chip is good", "if (chipId !== target.chipId)", "if (false)"],
      ["a chip may be too old", "if (actual < min) throw", "if (false) throw"],
      ["a segment need not be mappable", "loadAddress % page !== offset % page", "false"],
    ],
  ),
];
