/**
 * Deliberate faults in the guards around the life of an update: transfer, flash, verification, boot, status.
 * @module
 */
import { type Mutation, mutations } from "./mutation.js";

const SYSTEM = "test/system/seeds.test.ts";
const CUTS_SAMPLE = "test/system/power-cut.test.ts";

export const LIFE: readonly Mutation[] = [
  ...mutations(
    "src/transfer/stream.ts",
    ["test/unit/stream.test.ts"],
    [
      ["a block of another file is taken", "fields[FILE_ID] !== file.fileId", "false"],
      ["a block beyond the file is taken", "rest <= 0", "false"],
      [
        "the length of a payload is not compared",
        "length !== (rest < blockSize ? rest : blockSize)",
        "false",
      ],
      ["the length a block states is not compared", "length !== fields[LENGTH]", "false"],
    ],
  ),
  ...mutations(
    "src/slot/journal.ts",
    [CUTS_SAMPLE, "test/unit/journal.test.ts", "test/unit/flash-pal.test.ts"],
    [
      [
        "the journal of another file is taken",
        "this.live = equalBytes(found, this.#header());",
        "this.live = true;",
      ],
      ["a record is believed unseen", "    return good;", "    return true;"],
      [
        "the header with what it names comes before the old records are gone",
        "      if (!this.#blank) this.clear();\n      this.#flash.write(this.#header(), this.#place(0));",
        "      this.#flash.write(this.#header(), this.#place(0));\n      if (!this.#blank) this.clear();",
      ],
      [
        "the sector with the header is erased last",
        "this.#flash.eraseBlock(this.#place(at) / this.#sectorLength);",
        "this.#flash.eraseBlock(this.#place(this.#limit - this.#sectorLength - at) / this.#sectorLength);",
      ],
      [
        "a slot that may be torn is written to",
        "    this.#end += RECORD_LENGTH;\n    return undefined;",
        "    return undefined;",
      ],
      [
        "a record does not name the file",
        "hash.update(this.#lead);",
        "hash.update(this.#lead.subarray(-DIGEST_OFFSET));",
      ],
      ["records are not counted", "this.#end = end + RECORD_LENGTH;", ""],
    ],
  ),
  ...mutations(
    "src/slot/flash-pal.ts",
    ["test/unit/flash-pal.test.ts", "test/unit/flash-pal-guards.test.ts", CUTS_SAMPLE, SYSTEM],
    [
      [
        "a record is made before its data is there",
        "    open.slot.write(bytes, offset);",
        "    if (sectors[sector] + length >= ERASED + open.lengthOf(sector)) open.journal?.append(sector, part);\n" +
          "    open.slot.write(bytes, offset);",
      ],
      [
        "the digest of a recorded sector is not compared",
        "if (journal.holds(sector, open.content(sector))) {",
        "journal.holds(sector, open.content(sector));\n          {",
      ],
      [
        "the signature is not checked",
        "        this.#options.trustedKeys.verify(this.#options.crypto, digest, file);\n",
        "",
      ],
      [
        "a missing signature is found out only later",
        "        this.#options.trustedKeys.require(file);\n",
        "",
      ],
      [
        "the structure of an image is not checked",
        "if (this.#options.boot) checkStructure(",
        "if (!this.#options.boot) checkStructure(",
      ],
      [
        "the head is judged as it came, not as it was signed",
        "        this.inspect(file, open.read(0, HEAD_LENGTH));\n",
        "",
      ],
      [
        "a record that may be weak is not repeated",
        "if (open.journal?.live) return this.repeatRecord();",
        "if (open.journal?.live) return;",
      ],
      ["another chip is good", "if (offered.chipId !== running.chipId)", "if (false)"],
      ["another project is good", "if (offered.projectName !== running.projectName)", "if (false)"],
      [
        "a lower secure version is good",
        "if (offered.secureVersion < running.secureVersion)",
        "if (offered.secureVersion < 0)",
      ],
      ["the running version may come again", "if (!this.#options.allowDowngrade && !same) {", "if (false) {"],
      [
        "the highest confirmed version is not asked for",
        "if (highest && this.#isOrdered(highest))",
        "if (false)",
      ],
      [
        "an activation that was given up boots all the same",
        "        this.#timer = clock.set(() => {\n          const failure",
        "        clock.set(() => {\n          const failure",
      ],
      [
        "what boots is not compared with what was verified",
        "if (!equalBytes(digest, verified))",
        "if (false)",
      ],
      [
        "a file may be larger than the slot",
        "if (file.fileSize > this.#sectors * this.#sectorLength)",
        "if (false)",
      ],
      ["blocks may lie beyond the file", "    if (end > open.file.fileSize)", "    if (end > 2 ** 40)"],
      [
        "an old verdict about the slot stays",
        "    boot?.clearOther();\n    if (!open.begun)",
        "    if (!open.begun)",
      ],
      [
        "sectors are not erased",
        "if (own.length === at - first) slot.eraseBlock(first, at);",
        "if (true) return;",
      ],
      [
        "the journal of another file outlives the first erasure",
        "    if (!open.begun) this.#begin(open);\n",
        "",
      ],
      [
        "the timer of the switch is not kept",
        "        this.#timer = clock.set(() => {\n          const failure",
        "        clock.set(() => {\n          const failure",
      ],
      [
        "the journal of a file that failed stays",
        "if (!discard || !open?.journal?.live) return;",
        "if (true) return;",
      ],
      ["only an image on trial can be rejected", "} else if (undecided(current)) boot", "} else boot"],
    ],
  ),
  ...mutations(
    "src/slot/flash-pal.ts",
    ["test/unit/way-back.test.ts"],
    [
      [
        "there need not be a way back",
        "        this.#keepWayBack();\n        open.journal",
        "        open.journal",
      ],
    ],
  ),
  ...mutations(
    "src/agent.ts",
    [
      "test/unit/agent-self-test.test.ts",
      "test/unit/agent-transfer.test.ts",
      "test/unit/golden-traces.test.ts",
      SYSTEM,
    ],
    [
      [
        "the boot partition is switched before the service knows",
        '    this.#inform(active, report.selfTest("ready", active), Event.FileReported);',
        '    this.#inform(active, report.selfTest("ready", active));\n    this.#post(Event.FileReported);',
      ],
      [
        "success is reported though the image could not be confirmed",
        "    if (error) return this.#rollBack(error);\n",
        "",
      ],
      [
        "a rejected image is not recorded as such",
        '    this.#attempt(pal, "setPlatformImageState", "rejected");\n',
        "",
      ],
      [
        "a late word of an earlier attempt counts",
        "if (!parsed.clientToken && job && isEarlier(job, active.job)) {",
        "if (false) {",
      ],
      ["a failure is reported as success", 'status: JobStatus = "FAILED"', 'status: JobStatus = "SUCCEEDED"'],
      [
        "an image on trial has no deadline",
        "this.#after(Event.SelfTestTimer, selfTestTimeoutMs);",
        "void selfTestTimeoutMs;",
      ],
      [
        "a job in front is blamed for the image on trial",
        "if (job.progress.selfTest) this.#active = active;",
        "this.#active = active;",
      ],
    ],
  ),
  ...mutations(
    "src/agent.ts",
    ["test/unit/agent-jobs.test.ts", "test/unit/agent-callbacks.test.ts"],
    [
      [
        "ready is repeated during a pause",
        "      this.#jobs.dropUpdates(active.job.jobId);\n      // The porting",
        "      // The porting",
      ],
      [
        "the end of a self-test waits behind what was said before",
        "    if (active) this.#jobs.dropUpdates(active.job.jobId);\n",
        "",
      ],
      ["a start out of a callback is undone", "life === this.#life", "true"],
      ["each notification asks once more", "if (!this.#jobs.isReporting(active.job.jobId)) ", ""],
      ["a wait that is over is kept", "waiter !== check", "true"],
    ],
  ),
  ...mutations(
    "src/agent.ts",
    ["test/unit/failed-images.test.ts", "test/unit/ended-executions.test.ts"],
    [
      ["what is over is begun again at once", "    if (wait > 0) {\n", "    if (false) {\n"],
      ["an image that failed is forgotten", "this.#failedImages.add(image, active?.job)", "undefined"],
      ["an image that failed is fetched again", "this.#failedImages.check(name, job)", "undefined"],
      [
        "a fault of the store is a failure of the act",
        "      if (aside) this.#notice(aside);",
        "      if (aside) throw aside;",
      ],
    ],
  ),
  ...mutations(
    "src/control/words.ts",
    ["test/unit/words.test.ts", "test/unit/agent-words.test.ts"],
    [
      ["strange characters go into a status", '.replace(strange, "?")', ""],
      ["a value may be empty", ' || "-"', ""],
      ["a value may be long", ".slice(0, VALUE_LENGTH)", ""],
      ["there may be many pairs", ".slice(0, MOST_DETAILS)", ""],
    ],
  ),
  ...mutations(
    "hosts/mqtt/mqtt-connection.ts",
    ["test/unit/mqtt-connection.test.ts"],
    [
      [
        "an unsubscribed subscriber gets the message",
        "if (this.#active.includes(active))",
        "if (this.#active.length)",
      ],
      ["a refused renewal is not repeated", "if (error && active.granted) this", "if (false) this"],
      [
        "the waits begin anew with every connection",
        "    this.#prove();\n    for",
        "    this.#reconnect.proved();\n    for",
      ],
      [
        "a connection that does not answer is kept",
        "client && client === this.#client && this.#lost",
        "false && this.#lost",
      ],
    ],
  ),
  ...mutations(
    "src/control/reentry.ts",
    ["test/unit/reentry.test.ts", "test/unit/agent-self-test.test.ts"],
    [
      [
        "another job's image passes for this one's",
        "  if (image === imageName(running)) {",
        "  if (image) {",
      ],
      ["an image that was given up passes", 'if (state === "invalid")', "if (!state)"],
      [
        "an image nobody has decided about passes",
        'return state === "unknown" && !onTrial ? true : undefined;',
        "return undefined;",
      ],
      ["a rollback is taken for an ordinary offer", "if (pal.rolledBack)", "if (pal.rolledBack && false)"],
      [
        "a job in front says nothing of the image on trial",
        "return onTrial && withdrawn();",
        "return false;",
      ],
    ],
  ),
  ...mutations(
    "src/control/jobs.ts",
    ["test/unit/agent-jobs.test.ts", "test/unit/golden-traces.test.ts", SYSTEM],
    [
      [
        "anybody's reply counts as the answer to a request",
        ": asked.body.clientToken === clientToken) &&",
        ": asked === this.#request || asked.body.clientToken === clientToken) &&",
      ],
      [
        "anybody's reply counts as the answer to a status",
        ": asked.body.clientToken === clientToken) &&",
        ": asked !== this.#request || asked.body.clientToken === clientToken) &&",
      ],
      ["a reply about another job counts", " &&\n        topic.startsWith(asked.topic)", ""],
    ],
  ),
  ...mutations(
    "hosts/emulated/ota-operations.ts",
    ["test/unit/boot-loader.test.ts", "test/unit/boot-power-cut.test.ts", CUTS_SAMPLE],
    [
      [
        "the entry of the running application is overwritten by a switch",
        "flash.writeEntry(1 - active, makeEntry(next, state, entries[1 - active].label));",
        "flash.writeEntry(active, makeEntry(next, state, entries[1 - active].label));",
      ],
      [
        "an image is switched to unseen",
        "      flash.checkImage(partition);\n    } catch (error) {\n      if (!(error instanceof ImageError)) throw error;\n      throw",
        "    } catch (error) {\n      if (!(error instanceof ImageError)) throw error;\n      throw",
      ],
    ],
  ),
  ...mutations(
    "hosts/emulated/boot-loader.ts",
    ["test/unit/boot-loader.test.ts", CUTS_SAMPLE, SYSTEM],
    [
      ["an unconfirmed image boots for ever", "if (rollback) this.#abortPending(entries);", ""],
      [
        "a new image boots without being on trial",
        "if (rollback && entry.state === STATE_NEW) {",
        "if (false) {",
      ],
    ],
  ),
  ...mutations(
    "hosts/emulated/device-flash.ts",
    ["test/unit/boot-power-cut.test.ts"],
    [
      [
        "an entry of otadata is written before its sector is erased",
        "    flash.eraseBlock(index);\n    flash.write(encodeEntry(entry), ENTRY_OFFSETS[index]);",
        "    flash.write(encodeEntry(entry), ENTRY_OFFSETS[index]);\n    flash.eraseBlock(index);",
      ],
    ],
  ),
];
