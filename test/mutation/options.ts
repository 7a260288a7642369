/**
 * Deliberate faults in what a product may add to the agent: payloads, components, updates from a URL, hawkBit.
 * @module
 */
import { type Mutation, mutations } from "./mutation.js";

export const OPTIONS: readonly Mutation[] = [
  ...mutations(
    "src/payload/header.ts",
    ["test/unit/payload-decoder.test.ts"],
    [
      ["a base may have any length", "baseLength > MAX_LENGTH ||", ""],
      ["a segment's data may be longer than what it makes", "size >= whole", "size < 0"],
      ["a payload may be longer than its segments", "if (data !== length)", "if (data > length)"],
      ["a segment may lie outside of the image", " || size > imageLength - offset", ""],
      ["tables may have any length", "if (at + 3 * count !== end)", "if (at + 3 * count > end)"],
      ["steps of the map need not rise", "(n > 0 && delta < 1) ||", ""],
    ],
  ),
  ...mutations(
    "src/payload/js-decoder.ts",
    ["test/unit/payload-decoder.test.ts"],
    [
      [
        "a copy may come from before the image",
        "if (this.#distance > position)",
        "if (this.#distance > 1e9)",
      ],
      [
        "a copy may come from outside of the base",
        "at < 0 || at + length > this.#header.baseLength",
        "at < 0",
      ],
      ["a copy may lead beyond the segment", "if (length > this.#limit - position)", "if (length > 1e9)"],
      ["bytes may be left over", "this.#position === this.#limit && (", "this.#position < 0 && ("],
      ["the first bits may be anything", "this.#code < 0 || this.#code >= Model.RANGE", "this.#code < 0"],
    ],
  ),
  ...mutations(
    "hosts/esp32/payload-core.h",
    ["test/node/payload-native.test.ts"],
    [
      ["in C a copy may come from before the image", "if (p->distance > p->position)", "if (0)"],
      ["in C a segment of the base may be outside of it", "segment->length > p->header.baseLength - at", "0"],
      ["in C zeros at the end are not made up", "if (!rest || p->error)", "if (p->error)"],
    ],
  ),
  ...mutations(
    "src/payload/staged-pal.ts",
    ["test/unit/staged-pal.test.ts"],
    [
      ["a delta may be from another base", "if (base && base !== buildId)", "if (base && !buildId)"],
      ["a key need not be known beforehand", "trustedKeys.require(file);", ""],
      ["there need not be a way back", "boot.keepWayBack();", ""],
      [
        "the base is not proven",
        "isDelta &&\n      !this.#base?.some(({ length, digest }) => length === baseLength && equalBytes(digest, baseDigest))",
        "false",
      ],
      [
        "the image may overwrite what is still to be applied",
        "if (Math.ceil(open.start(header, k + 1) / sectorLength) > open.view.place(sector)) noRoom(imageLength);",
        "if (Math.ceil(open.start(header, k + 1) / sectorLength) > 1e9) noRoom(imageLength);",
      ],
      [
        "a payload is applied unproven",
        "else if (!equalBytes(digest, header.bodyDigest))",
        "else if (!digest)",
      ],
      [
        "another kind of payload than the job says is taken",
        'if (isDelta !== !!variant.base) badPayload("the payload is not of the kind the job says");',
        "",
      ],
    ],
  ),
  ...mutations(
    "src/payload/open-payload.ts",
    ["test/unit/staged-pal.test.ts"],
    [
      [
        "a payload of one sector is looked for behind it",
        "start: view.place(1 % sectors)",
        "start: view.place(1)",
      ],
    ],
  ),
  ...mutations(
    "src/payload/staged-pal.ts",
    ["test/node/staged-pal-weak.test.ts"],
    [
      ["an image is begun on the word of a record that may be weak", "          stage.repeatRecord();\n", ""],
      [
        "what is fetched again erases what is around it",
        "if (open.made.byteLength > 0) open.stage.eraseSingly();",
        "",
      ],
    ],
  ),
  ...mutations(
    "src/slot/journal.ts",
    ["test/node/staged-pal-weak.test.ts"],
    [["a header that may be weak is kept", "    if (this.#good === HEADER_LENGTH) this.live = false;\n", ""]],
  ),
  ...mutations(
    "src/mods/mods.ts",
    ["test/unit/mods.test.ts"],
    [
      [
        "a mod is linked anew though names have taken ids",
        "if (use.withFirmware || this.#named) {",
        "if (use.withFirmware) {",
      ],
    ],
  ),
  ...mutations(
    "src/components/header.ts",
    ["test/unit/components.test.ts"],
    [
      ["bytes behind the texts may be anything", "if (head[at]) refuse", "if (head[at] < 0) refuse"],
      ["a text may have anything behind its end", "else if (ended || code < 0x21", "else if (code < 0x21"],
      ["a component's length may be another", "!== fileSize - COMPONENT_HEADER_LENGTH)", "< 0)"],
    ],
  ),
  ...mutations(
    "src/components/record-log.ts",
    ["test/unit/record-log.test.ts"],
    [
      [
        "what was written is not read back",
        "if (!equalBytes(back, bytes)) throw",
        "if (back.length !== bytes.length) throw",
      ],
      [
        "what may read differently is taken as it is",
        "if (newest && !settled) {",
        "if (newest && !newest) {",
      ],
      [
        "a damaged record counts",
        "if (!equalBytes(this.#digest(bytes.subarray(at, at + end)), digest)) break;",
        "",
      ],
      [
        "a life goes on in the sector of the one before",
        "    this.#at = 0;\n    // What is written next",
        "    // What is written next",
      ],
      [
        "a record may have any length",
        "if (payload.length > MAX_PAYLOAD) throw",
        "if (payload.length > 1e9) throw",
      ],
    ],
  ),
  ...mutations(
    "src/components/statement.ts",
    ["test/unit/components.test.ts"],
    [
      [
        "a component may stand in a set twice",
        "!name || entries.some((entry) => entry.name === name)",
        "!name",
      ],
      ["a file's digest need not be the set's", " || !digest || !equalBytes(entry.digest, digest)", ""],
    ],
  ),
  ...mutations(
    "src/components/host-range.ts",
    ["test/unit/components.test.ts", "test/unit/components-world.test.ts"],
    [
      [
        "firmware may be too old for a component",
        "minFirmware && !(compareVersions(host, minFirmware) >= 0)",
        "false",
      ],
    ],
  ),
  ...mutations(
    "src/components/components.ts",
    ["test/unit/components.test.ts", "test/unit/components-world.test.ts"],
    [
      ["a statement that was given up is told of", "    this.#paper?.stop();\n", ""],
      [
        "several files need no statement",
        "if (files.length > 1 && !types.includes(statementType) && !allowLooseSets)",
        "if (files.length > 1e9)",
      ],
      [
        "a component without a way back goes with others",
        "if (definition && definition.places.length === 1 && files.length > 1)",
        "if (definition && definition.places.length === 0)",
      ],
      [
        "a trial that is not counted takes place",
        "this.#inEffect = !this.#attempt();",
        "this.#attempt();\n      this.#inEffect = true;",
      ],
      [
        "a trial that failed before it began is followed",
        "        this.#withdraw();\n        return done(error);",
        "        return done(error);",
      ],
      ["a trial has no end", "if (records.attempts === 0) return this.#giveUp();", ""],
      [
        "what was rolled back with its firmware is not given up",
        'if (other === "aborted" || other === "invalid") this.#giveUp();\n      else records.trial',
        "records.trial",
      ],
    ],
  ),
  ...mutations(
    "src/ddi/ddi.ts",
    ["test/unit/ddi.test.ts"],
    [
      ["a server is asked as often as it says", "Math.max(sleepMs, LEAST_SLEEP_MS)", "sleepMs"],
      ["a busy server is asked again at once", "          status >= 500 ||\n", ""],
      [
        "what a device says is lost when it is not known for a moment",
        "status === 401 &&",
        "status === 0 &&",
      ],
      [
        "a signature that is gone costs an image on trial its job",
        "else if (!installed) return this",
        "else return this",
      ],
      [
        "the update goes on although nothing is kept of it",
        'finish("refused");\n          this.#go();',
        'finish("accepted");\n          this.#go();',
      ],
    ],
  ),
  ...mutations(
    "src/components/processor-pal.ts",
    ["test/unit/processor-pal.test.ts"],
    [
      [
        "a second processor starts what was not verified",
        "if (!equalBytes(whole.digest(), verified))",
        "if (!verified)",
      ],
      ["what it made stay is refused as nothing new", "(order === 0 && this.#again)", "order === null"],
    ],
  ),
  ...mutations(
    "src/ddi/memory.ts",
    ["test/unit/ddi.test.ts"],
    [
      [
        "what is in use already can be cancelled",
        "decided && isInUse(pal, image, files)",
        "!image && isInUse(pal, image, files)",
      ],
      ["components are asked about as firmware", "types.includes(0) ? state", "types.length ? state"],
    ],
  ),
  ...mutations(
    "src/ddi/deployment.ts",
    ["test/unit/ddi.test.ts"],
    [
      ["any module is firmware", 'if (typeof fileType !== "number")', 'if (typeof fileType === "symbol")'],
      [
        "an action may have any number of artifacts",
        "if (files.length > MAX_FILES)",
        "if (files.length > 1e9)",
      ],
    ],
  ),
];
