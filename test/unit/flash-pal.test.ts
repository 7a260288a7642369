import { cutPowerAt, type FlashCommand, refuse } from "../../hosts/emulated/flash-faults.js";

import { SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { FlashPal, OtaError, TrustedKeys } from "../../src/index.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { cutEverywhere, fileOf, PalRig, type RigOptions, rigImage, SLOT } from "../support/pal-rig.js";
import { KEY_POINT, testCrypto } from "../support/test-crypto.js";
import { seeded, VirtualClock } from "../support/virtual-clock.js";

const IMAGE = rigImage();
const FILE = fileOf(IMAGE);

/** With the image written and not closed. */
function written(options: RigOptions = {}): PalRig {
  const rig = new PalRig(options);
  rig.create(FILE);
  rig.write(IMAGE);
  return rig;
}

function verified(options: RigOptions = {}): PalRig {
  const rig = written(options);
  equal(rig.close().code, undefined);
  return rig;
}

/** A device that runs `version`. */
function runs(version: string, pal: RigOptions["pal"] = {}): PalRig {
  const rig = new PalRig({ pal });
  rig.boot.running = { ...rig.boot.running, version };
  return rig;
}

function shuffled(blocks: number[]): number[] {
  const random = seeded(7);
  const rest = [...blocks];
  return blocks.map(() => rest.splice(Math.floor(random() * rest.length), 1)[0]);
}

describe("PAL tests of the FreeRTOS porting guide", () => {
  it("CloseFile_ValidSignature", () => {
    equal(written().close().code, undefined);
  });

  it("CloseFile_InvalidSignatureBlockWritten", () => {
    const rig = new PalRig();
    const other = fileOf(rigImage("1.2.0"));
    rig.create({ ...other, fileSize: IMAGE.length });
    rig.write(IMAGE);
    equal(rig.close().code, "signature-check");
  });

  it("CloseFile_InvalidSignatureNoBlockWritten", () => {
    const rig = new PalRig();
    rig.create(FILE);
    equal(rig.close().code, "signature-check");
  });

  it("CloseFile_NonexistingCodeSignerCertificate: known before the first block", () => {
    const rig = new PalRig({ pal: { trustedKeys: new TrustedKeys({ "one.pem": KEY_POINT }) } });
    throws(() => rig.create(FILE), { type: OtaError, code: "bad-signer" });
  });

  it("CloseFile_ValidSignatureKeyInFlash: a key configured under the name the job gives", () => {
    const rig = new PalRig({ pal: { trustedKeys: new TrustedKeys({ c: KEY_POINT }) } });
    rig.create(FILE);
    rig.write(IMAGE);
    equal(rig.close().code, undefined);
  });

  it("CreateFileForRx_CreateAnyFile: nothing is erased yet", () => {
    const rig = new PalRig();
    equal(rig.create(FILE).byteLength, 0);
    equal(rig.chip.operations, 0);
  });

  it("Abort_OpenFile", () => {
    const rig = new PalRig();
    rig.create(FILE);
    rig.pal.abort(true);
    rig.pal.abort(false);
  });

  it("Abort_FileWithBlockWritten", () => {
    const rig = new PalRig();
    rig.create(FILE);
    rig.pal.writeBlock(0, IMAGE.subarray(0, SECTOR_SIZE));
    rig.pal.abort(true);
    equal(rig.create(FILE).byteLength, 0, "discarded");
  });

  it("Abort_NullFileHandle", () => {
    new PalRig().pal.abort(true);
  });

  it("Abort_NonExistentFile: harmless after the end", () => {
    const rig = verified();
    rig.pal.abort(false);
    rig.pal.abort(true);
  });

  it("WriteBlock_WriteSingleByte", () => {
    const rig = new PalRig();
    const one = fileOf(Uint8Array.of(0x42));
    rig.create(one);
    rig.pal.writeBlock(0, Uint8Array.of(0x42));
    equal(rig.bytes(1)[0], 0x42);
  });

  it("WriteBlock_WriteManyBlocks", () => {
    const rig = written();
    deepEqual(rig.bytes(IMAGE.length), IMAGE);
  });

  it("ActivateNewImage_HappyPath", () => {
    const rig = verified();
    equal(rig.activate(), undefined);
    deepEqual(rig.boot.calls.slice(-2), ["setBoot", "restart"]);
  });

  it("SetPlatformImageState_SelfTest", () => {
    const rig = new PalRig();
    rig.pal.setPlatformImageState("testing");
    deepEqual(rig.boot.calls, []);
  });

  for (const state of ["rejected", "aborted"] as const)
    it(`SetPlatformImageState_${state === "rejected" ? "Reject" : "Abort"}`, () => {
      const rig = new PalRig();
      rig.boot.state = "pending-verify";
      rig.pal.setPlatformImageState(state);
      deepEqual(rig.boot.calls, ["markInvalid"]);
    });

  for (const state of ["Invalid", "Unknown"])
    it(`SetPlatformImageState_${state}`, () => {
      const rig = new PalRig();
      throws(() => rig.pal.setPlatformImageState(state.toLowerCase() as "unknown"), {
        type: OtaError,
        code: "bad-image-state",
      });
    });

  it("SetPlatformImageState_AcceptedButImageNotClosed: the open file cannot become accepted by it", () => {
    const rig = written();
    rig.pal.setPlatformImageState("accepted");
    ok(!rig.boot.calls.includes("setBoot") && !rig.boot.calls.includes("markValid"), rig.boot.calls.join());
    equal(rig.activate(), "activate-failed");
  });

  it("GetPlatformImageState_InvalidImageStateFromFileCloseFailure: the state is that of what runs, the file is lost", () => {
    const rig = new PalRig();
    rig.create(FILE);
    rig.close();
    equal(rig.pal.getPlatformImageState(), "valid");
    equal(rig.activate(), "activate-failed");
  });

  it("ResetDevice", () => {
    const rig = new PalRig();
    rig.pal.reset();
    deepEqual(rig.boot.calls, ["restart"]);
  });
});

describe("flash PAL: platform image state", () => {
  for (const [boot, platform] of [
    ["pending-verify", "pending-commit"],
    ["valid", "valid"],
    ["undefined", "unknown"],
    ["new", "unknown"],
    ["invalid", "invalid"],
    ["aborted", "invalid"],
  ] as const)
    it(`${boot} is ${platform}`, () => {
      const rig = new PalRig();
      rig.boot.state = boot;
      equal(rig.pal.getPlatformImageState(), platform);
    });

  for (const [state, call, code] of [
    ["accepted", "markValid", "commit-failed"],
    ["rejected", "markInvalid", "reject-failed"],
    ["aborted", "markInvalid", "abort-failed"],
  ] as const)
    it(`${state} that cannot be recorded is ${code}`, () => {
      const rig = new PalRig();
      rig.boot.state = "pending-verify";
      rig.boot.failing = call;
      throws(() => rig.pal.setPlatformImageState(state), { type: OtaError, code });
    });

  it("accepted of an image on trial is recorded once", () => {
    const rig = new PalRig();
    rig.boot.state = "pending-verify";
    rig.pal.setPlatformImageState("accepted");
    rig.pal.setPlatformImageState("accepted");
    deepEqual(rig.boot.calls, ["markValid"]);
  });

  it("rejected of an image that is not on trial changes nothing", () => {
    const rig = new PalRig();
    rig.pal.setPlatformImageState("rejected");
    deepEqual(rig.boot.calls, []);
  });

  for (const [other, back] of [
    ["invalid", true],
    ["aborted", true],
    ["pending-verify", true],
    ["valid", false],
    ["undefined", false],
    ["new", false],
  ] as const)
    it(`the other slot ${other}: rolled back ${back}`, () => {
      const rig = new PalRig();
      rig.boot.other = other;
      equal(rig.pal.rolledBack, back);
    });

  it("the first write of a file clears an old verdict about its slot", () => {
    const rig = new PalRig();
    rig.boot.other = "aborted";
    rig.create(FILE);
    equal(rig.pal.rolledBack, true, "nothing has changed yet");
    rig.pal.writeBlock(0, IMAGE.subarray(0, SECTOR_SIZE));
    equal(rig.pal.rolledBack, false);
  });

  it("so does resuming it", () => {
    const rig = written();
    rig.boot.other = "aborted";
    rig.restart();
    rig.create(FILE);
    equal(rig.pal.rolledBack, false);
  });

  it("without a boot side there is nothing to roll back, to set, or to activate", () => {
    const rig = written({ pal: { boot: undefined } });
    const { pal } = rig;
    deepEqual(
      [pal.running, pal.rollbackEnabled, pal.rolledBack, pal.getPlatformImageState()],
      [undefined, true, false, "valid"],
    );
    pal.setPlatformImageState("accepted");
    pal.reset();
    equal(rig.close().code, undefined);
    equal(rig.activate(), "activate-failed");
    equal(pal.inspect(FILE, IMAGE.subarray(0, 288)), undefined);
  });

  it("without a boot side a file may be anything", () => {
    const rig = new PalRig({ pal: { boot: undefined } });
    const anything = new Uint8Array(5000).fill(0x37);
    rig.create(fileOf(anything));
    rig.write(anything);
    equal(rig.close().code, undefined);
  });
});

describe("flash PAL: options", () => {
  const good = () => {
    const { slot, clock } = new PalRig();
    return { slot, clock, crypto: testCrypto, trustedKeys: new TrustedKeys({ "": KEY_POINT }) };
  };
  for (const name of ["slot", "crypto", "clock", "trustedKeys"])
    it(`${name} is required`, () => {
      throws(() => new FlashPal({ ...good(), [name]: undefined }), { type: TypeError, message: name });
    });

  it("no options at all is an error", () => {
    throws(() => new FlashPal(undefined as never), { type: TypeError, message: "slot" });
  });

  for (const eraseLength of [0, 100, 4095, 6000, -4096, Number.NaN])
    it(`eraseLength ${eraseLength} is an error`, () => {
      throws(() => new FlashPal({ ...good(), eraseLength }), { type: RangeError, message: "eraseLength" });
    });
});

describe("flash PAL: what may be installed", () => {
  const inspect = (rig: PalRig, image: Uint8Array) =>
    rig.pal.inspect(fileOf(image), image.subarray(0, rig.pal.headLength));

  it("tells what the image says of itself", () => {
    const { version, projectName, chipId } = inspect(new PalRig(), IMAGE) ?? {};
    deepEqual([version, projectName, chipId], ["1.1.0", "rig", 5]);
  });

  for (const [what, running, code] of [
    ["another chip", { chipId: 9 }, "wrong-chip"],
    ["another project", { projectName: "other" }, "wrong-project"],
    ["a lower secure version", { secureVersion: 1 }, "secure-version"],
    ["the same version", { version: "1.1.0" }, "same-version"],
    ["the same version in other words", { version: "v1.1.0+build" }, "same-version"],
    ["a newer version", { version: "1.1.1" }, "downgrade"],
    ["a version without order", { version: "yesterday's" }, "bad-version"],
  ] as const)
    it(`refuses an image for a device that runs ${what}`, () => {
      const rig = new PalRig();
      rig.boot.running = { ...rig.boot.running, ...running };
      throws(() => inspect(rig, IMAGE), { type: OtaError, code });
    });

  for (const version of ["1.1.0", "1.1.1", "yesterday's"])
    it(`takes any version over ${version} when downgrades are allowed`, () => {
      const rig = new PalRig({ pal: { allowDowngrade: true } });
      rig.boot.running = { ...rig.boot.running, version };
      ok(inspect(rig, IMAGE));
    });

  it("refuses a version older than the highest that was ever confirmed", () => {
    const rig = new PalRig();
    rig.boot.running = { ...rig.boot.running, version: "1.5.0" };
    rig.pal.setPlatformImageState("accepted");
    rig.boot.running = { ...rig.boot.running, version: "1.0.0" };
    throws(() => inspect(rig, IMAGE), { type: OtaError, code: "downgrade", message: "highest confirmed" });
    ok(inspect(rig, rigImage("1.6.0")));
  });

  it("never takes a version without an order for the highest, which kept every later image out", () => {
    const rig = runs("b52cf2a-dirty");
    rig.pal.setPlatformImageState("accepted");
    equal(rig.store.get("xs-ota.highest"), undefined);
    const later = runs("1.0.0");
    later.store.set("xs-ota.highest", "b52cf2a-dirty");
    inspect(later, IMAGE);
    later.pal.setPlatformImageState("accepted");
    equal(later.store.get("xs-ota.highest"), "1.0.0");
  });

  it("says before any job that the running version has no order, and names it when an image comes", () => {
    equal(runs("1.0.0-3-gabcdef0").pal.ordered, true);
    const rig = runs("b52cf2a");
    equal(rig.pal.ordered, false);
    throws(() => inspect(rig, IMAGE), {
      type: OtaError,
      code: "bad-version",
      message: '"b52cf2a" has no order',
    });
    equal(runs("b52cf2a", { allowDowngrade: true }).pal.ordered, true);
  });

  it("refuses an image for other revisions of the chip, where the boot side knows this one", () => {
    const rig = new PalRig();
    const image = IMAGE.slice();
    image.set([101 & 255, 101 >> 8, 199, 0], 15);
    ok(inspect(rig, image));
    Object.assign(rig.boot, { chipRevision: 101 });
    ok(inspect(rig, image));
    Object.assign(rig.boot, { chipRevision: 100 });
    throws(() => inspect(rig, image), { code: "wrong-chip", message: "chip revisions 101 to 199" });
  });

  it("takes the product's own order", () => {
    const compareVersions = (a: string, b: string) => b.length - a.length;
    const rig = runs("b52cf2a-dirty", { compareVersions });
    equal(rig.pal.ordered, true);
    inspect(rig, IMAGE);
    const other = runs("b", { compareVersions });
    throws(() => inspect(other, IMAGE), { code: "downgrade" });
  });

  it("makes no memory for the sectors of a file that cannot fit (2 MB for one of 4 GB before)", () => {
    const Real = globalThis.Uint16Array;
    let most = 0;
    globalThis.Uint16Array = new Proxy(Real, {
      construct(target, values, newTarget) {
        most = Math.max(most, Number(values[0]));
        return Reflect.construct(target, values, newTarget);
      },
    });
    try {
      throws(() => new PalRig().create(fileOf(IMAGE, { fileSize: 0xffffffff })), { code: "file-too-large" });
    } finally {
      globalThis.Uint16Array = Real;
    }
    ok(most <= SLOT / SECTOR_SIZE, `${most} sectors`);
  });

  it("does not remember a lower version as the highest", () => {
    const rig = new PalRig();
    for (const version of ["1.5.0", "1.4.0"]) {
      rig.boot.running = { ...rig.boot.running, version };
      rig.pal.setPlatformImageState("accepted");
    }
    deepEqual([...rig.store.values()], ["1.5.0"]);
  });

  it("refuses a file larger than the slot, without a signature, or without a path", () => {
    const rig = new PalRig();
    throws(() => rig.create({ ...FILE, fileSize: SLOT + 1 }), { type: OtaError, code: "file-too-large" });
    throws(() => rig.create({ ...FILE, signature: undefined }), {
      type: OtaError,
      code: "signature-missing",
    });
    throws(() => rig.create({ ...FILE, filePath: "" }), { type: OtaError, code: "file-create" });
    throws(() => rig.pal.writeBlock(0, IMAGE.subarray(0, 16)), {
      type: OtaError,
      message: "no file is open",
    });
  });

  it("refuses a signed file that is no whole image", () => {
    const broken = IMAGE.slice();
    broken[1] = 9;
    const rig = new PalRig();
    rig.create(fileOf(broken));
    rig.write(broken);
    equal(rig.close().code, "bad-image");
  });
});

describe("flash PAL: writing", () => {
  for (const blockSize of [256, 1008, 1024, 4096, 5120, 16_384, 131_072])
    for (const [what, order] of [
      ["in order", undefined],
      ["backwards", (blocks: number[]) => [...blocks].reverse()],
      ["in any order", shuffled],
    ] as const)
      it(`blocks of ${blockSize} bytes ${what}: every sector erased once`, () => {
        for (const encrypted of [false, true]) {
          if (encrypted && blockSize % 16) continue;
          const rig = new PalRig({ encrypted });
          rig.create(FILE);
          rig.write(IMAGE, blockSize, undefined, order);
          deepEqual(rig.bytes(IMAGE.length), IMAGE);
          deepEqual([...rig.chip.wear.subarray(0, 4)], [1, 1, 1, 1]);
          equal(rig.close().code, undefined);
        }
      });

  it("erases also what reads as erased: after a power cut it may read otherwise the next time", () => {
    const rig = written({ blank: true });
    deepEqual([...rig.chip.wear.subarray(0, 4)], [1, 1, 1, 1]);
    equal(rig.close().code, undefined);
  });

  it("what was verified is what boots, after an erasure that only looked done: its sectors were taken for blank before", () => {
    for (let seed = 0; seed < 8; seed++) {
      const rig = new PalRig();
      rig.create(FILE);
      rig.chip.faults = cutPowerAt(1, "weak", seed);
      throws(() => rig.write(IMAGE));
      rig.chip.faults = undefined;
      rig.restart();
      rig.write(IMAGE, SECTOR_SIZE, rig.create(FILE));
      equal(rig.close().code, undefined);
      equal(rig.activate(), undefined);
      for (let n = 0; n < 20; n++) deepEqual(rig.bytes(IMAGE.length), IMAGE);
    }
  });

  it("no journal of another file outlives the first erasure, whatever sizes they have", () => {
    const other = rigImage("1.2.0", 0x30000 - 5 * SECTOR_SIZE);
    for (let seed = 0; seed < 8; seed++) {
      const rig = new PalRig({ size: 0x30000 });
      const file = fileOf(other);
      rig.create(file);
      rig.write(other);
      rig.restart();
      rig.create(FILE);
      // Its first erasure of data is hardly begun, and the sector reads as before, now and then.
      let erasures = 0;
      rig.chip.faults = {
        fate: ({ kind, offset }) =>
          kind === "erase" && offset === 0 && erasures++ === 0
            ? { cut: "middle", tear: "weak", seed }
            : undefined,
      };
      throws(() => rig.write(IMAGE));
      rig.chip.faults = undefined;
      rig.restart();
      equal(rig.create(file).byteLength, 0, "believed what an erasure had begun to take away");
    }
  });

  it("erases 64 KB at a time where the file has them", () => {
    const commands: FlashCommand[] = [];
    const rig = new PalRig({ size: 0x30000 });
    rig.chip.faults = {
      fate(command) {
        if (command.kind === "erase" && command.offset < 0x20000) commands.push(command);
        return undefined;
      },
    };
    const large = rigImage("1.1.0", 0x20000);
    rig.create(fileOf(large));
    rig.write(large);
    deepEqual(
      commands.map(({ offset, length }) => [offset, length]),
      [
        [0, 0x10000],
        [0x10000, 0x10000],
      ],
    );
  });

  it("erases by sector when told to, for shorter stalls", () => {
    const lengths = new Set<number>();
    const rig = new PalRig({ size: 0x30000, pal: { eraseLength: 4096 } });
    rig.chip.faults = {
      fate(command) {
        if (command.kind === "erase") lengths.add(command.length);
        return undefined;
      },
    };
    const large = rigImage("1.1.0", 0x20000);
    rig.create(fileOf(large));
    rig.write(large);
    deepEqual([...lengths], [4096]);
  });

  it("never touches what lies behind the file, the journal excepted", () => {
    const rig = verified();
    const sectors = Array.from(rig.chip.wear, (wear, sector) => (wear ? sector : -1)).filter(
      (sector) => sector >= 0,
    );
    deepEqual(sectors, [0, 1, 2, 3, 15]);
  });

  it("refuses a block beyond the end of the file", () => {
    const rig = new PalRig();
    rig.create(FILE);
    throws(() => rig.pal.writeBlock(IMAGE.length - 8, new Uint8Array(16)), {
      type: OtaError,
      code: "flash-write",
    });
  });

  for (const kind of ["erase", "write"] as const)
    it(`a chip that fails to ${kind} is an error`, () => {
      const rig = new PalRig();
      rig.create(FILE);
      rig.chip.faults = refuse((command) => command.kind === kind && command.offset < 0x8000, "fail");
      throws(() => rig.write(IMAGE), { type: OtaError, code: "flash-write" });
    });

  it("a chip that fails to read is an error", () => {
    const rig = written();
    rig.chip.faults = refuse((command) => command.kind === "read", "fail");
    throws(() => rig.pal.readBack(0, new Uint8Array(16)), { type: OtaError, code: "flash-write" });
    equal(rig.close().code, "file-close");
  });

  it("a chip that does not erase, or not write, without saying so is found out at closing", () => {
    for (const kind of ["erase", "write"]) {
      const rig = new PalRig();
      rig.create(FILE);
      rig.chip.faults = refuse(
        (command) => command.kind === kind && command.offset === SECTOR_SIZE,
        "ignore",
      );
      try {
        rig.write(IMAGE);
      } catch (error) {
        equal((error as OtaError).code, "flash-write");
        continue;
      }
      equal(rig.close().code, "signature-check", kind);
    }
  });
});

describe("flash PAL: resuming", () => {
  it("finds every finished sector again", () => {
    const rig = new PalRig();
    rig.create(FILE);
    rig.pal.writeBlock(2 * SECTOR_SIZE, IMAGE.subarray(2 * SECTOR_SIZE, 3 * SECTOR_SIZE));
    rig.pal.writeBlock(0, IMAGE.subarray(0, SECTOR_SIZE));
    rig.pal.writeBlock(SECTOR_SIZE, IMAGE.subarray(SECTOR_SIZE, SECTOR_SIZE + 1024));
    rig.restart();
    const received = rig.create(FILE);
    deepEqual(
      [0, 1, 2, 3].map((sector) => received.has(sector * SECTOR_SIZE, 1024)),
      [true, false, true, false],
    );
    equal(received.byteLength, 2 * SECTOR_SIZE);
    equal(received.has(0, 3 * SECTOR_SIZE), false);
    equal(rig.write(IMAGE, SECTOR_SIZE, received), IMAGE.length - 2 * SECTOR_SIZE);
    equal(rig.close().code, undefined);
  });

  for (const [blockSize, order] of [
    [256, undefined],
    [1024, undefined],
    [1008, undefined],
    [1024, shuffled],
    [131_072, undefined],
  ] as const)
    it(`finds sectors again that came in blocks of ${blockSize} bytes${order ? ", in any order" : ""}`, () => {
      const rig = new PalRig();
      rig.create(FILE);
      rig.write(IMAGE, blockSize, undefined, order);
      rig.restart();
      equal(rig.create(FILE).byteLength, IMAGE.length);
    });

  it("finds the last, shorter sector again", () => {
    const rig = written();
    rig.restart();
    equal(rig.create(FILE).byteLength, IMAGE.length);
    equal(rig.close().code, undefined);
  });

  for (const encrypted of [false, true])
    it(`with larger blocks than before: sectors that are there are not written again${encrypted ? ", encrypted" : ""}`, () => {
      const rig = new PalRig({ encrypted });
      rig.create(FILE);
      rig.pal.writeBlock(SECTOR_SIZE, IMAGE.subarray(SECTOR_SIZE, 2 * SECTOR_SIZE));
      rig.restart();
      const received = rig.create(FILE);
      equal(rig.write(IMAGE, 16_384, received), IMAGE.length);
      equal(rig.chip.wear[1], 1);
      equal(rig.close().code, undefined);
    });

  it("a verified image survives, and can be activated in the next life", () => {
    const rig = verified();
    rig.restart();
    rig.create(FILE);
    equal(rig.close().code, undefined);
    equal(rig.activate(), undefined);
  });

  it("under a job of another name as well: the file counts", () => {
    const rig = written();
    rig.restart();
    const again = { ...FILE, streamName: "another", url: "https://h/f", fileId: 3 };
    equal(rig.create(again).byteLength, IMAGE.length);
  });

  it("not for another file of the same size", () => {
    const rig = written();
    rig.restart();
    equal(rig.create(fileOf(rigImage("1.2.0"))).byteLength, 0);
  });

  it("not for a file of the same signature and another size", () => {
    const rig = written();
    rig.restart();
    equal(rig.create({ ...FILE, fileSize: FILE.fileSize - 16 }).byteLength, 0);
  });

  it("another file takes the slot over completely", () => {
    const rig = written();
    const other = rigImage("1.2.0");
    rig.restart();
    rig.write(other, SECTOR_SIZE, rig.create(fileOf(other)));
    equal(rig.close().code, undefined);
    rig.restart();
    equal(rig.create(FILE).byteLength, 0, "the first one is gone");
  });

  it("not after the file was given up", () => {
    const rig = written();
    rig.pal.abort(true);
    rig.restart();
    equal(rig.create(FILE).byteLength, 0);
  });

  it("not after it was given up while its journal was read", () => {
    const rig = written();
    rig.restart();
    rig.pal.createFile(FILE, () => undefined);
    rig.clock.run(1);
    rig.pal.abort(true);
    rig.restart();
    equal(rig.create(FILE).byteLength, 0);
  });

  it("a journal that cannot be cleared is told", () => {
    const rig = written();
    rig.chip.faults = refuse((command) => command.kind === "erase", "fail");
    throws(() => rig.pal.abort(true), { type: OtaError, code: "abort-failed" });
  });

  it("no room in the slot: a notice, and the update works without", () => {
    const rig = new PalRig({ size: 4 * SECTOR_SIZE });
    rig.create(FILE);
    equal(rig.notices.length, 1);
    rig.write(IMAGE);
    equal(rig.close().code, undefined);
    rig.restart();
    equal(rig.create(FILE).byteLength, 0);
  });

  it("no room in the slot, but a partition for the journal: no notice, and resumed", () => {
    const rig = new PalRig({ size: 4 * SECTOR_SIZE, journal: true });
    rig.create(FILE);
    rig.write(IMAGE);
    deepEqual(rig.notices, []);
    rig.restart();
    equal(rig.create(FILE).byteLength, IMAGE.length);
    equal(rig.close().code, undefined);
  });

  it("a journal that cannot be written: a notice, and the update works without", () => {
    const rig = new PalRig();
    rig.create(FILE);
    rig.pal.writeBlock(0, IMAGE.subarray(0, SECTOR_SIZE));
    rig.chip.faults = refuse((command) => command.kind === "write" && command.offset >= 0xf000, "fail");
    rig.write(IMAGE.subarray(0), SECTOR_SIZE, { has: (offset) => offset === 0, byteLength: 0 });
    equal(rig.notices.length, 1);
    equal(rig.close().code, undefined);
  });

  it("a torn record costs its sector", () => {
    const rig = new PalRig();
    rig.create(FILE);
    rig.pal.writeBlock(0, IMAGE.subarray(0, SECTOR_SIZE));
    const { operations } = rig.chip;
    // Sixteen pages of data, then the record.
    rig.chip.faults = cutPowerAt(operations + 16, "bits");
    rig.pal.writeBlock(SECTOR_SIZE, IMAGE.subarray(SECTOR_SIZE, 2 * SECTOR_SIZE));
    ok(!rig.chip.powered);
    rig.chip.faults = undefined;
    rig.restart();
    const received = rig.create(FILE);
    equal(received.byteLength, SECTOR_SIZE);
    rig.write(IMAGE, SECTOR_SIZE, received);
    equal(rig.close().code, undefined);
    rig.restart();
    equal(rig.create(FILE).byteLength, IMAGE.length, "records behind the torn one count");
  });

  it("the record that was written last stands once more before anything is erased: it may not read right again", () => {
    const rig = new PalRig();
    rig.create(FILE);
    rig.pal.writeBlock(0, IMAGE.subarray(0, SECTOR_SIZE));
    rig.pal.writeBlock(SECTOR_SIZE, IMAGE.subarray(SECTOR_SIZE, 2 * SECTOR_SIZE));
    rig.restart();
    equal(rig.create(FILE).byteLength, 2 * SECTOR_SIZE);
    rig.pal.writeBlock(2 * SECTOR_SIZE, IMAGE.subarray(2 * SECTOR_SIZE, 2 * SECTOR_SIZE + 1024));
    // In the second record of the slot's last sector: there are 64 bytes of header, and 16 a record.
    rig.chip.flipBits(SLOT - SECTOR_SIZE + 64 + 16 + 7, 0x10);
    rig.restart();
    equal(rig.create(FILE).byteLength, 2 * SECTOR_SIZE);
  });

  it("a bit that rots between two lives costs its sector", () => {
    const rig = written();
    rig.chip.flipBits(SECTOR_SIZE + 77, 0x04);
    rig.restart();
    const received = rig.create(FILE);
    equal(received.byteLength, IMAGE.length - SECTOR_SIZE);
    rig.write(IMAGE, SECTOR_SIZE, received);
    equal(rig.close().code, undefined);
  });

  it("takes time for other things between two slices", () => {
    const rig = written();
    rig.restart();
    let turns = 0;
    const count = () => {
      turns++;
      rig.clock.set(count, 0);
    };
    rig.clock.set(count, 0);
    let done = false;
    rig.pal.createFile(FILE, () => {
      done = true;
    });
    while (!done && turns < 1000) rig.clock.time.step();
    ok(done && turns >= 1, `${turns} turns`);
  });

  it("is given up together with the file", () => {
    const rig = written();
    rig.restart();
    let called = false;
    rig.pal.createFile(FILE, () => {
      called = true;
    });
    rig.pal.abort(false);
    rig.clock.run(1000);
    equal(called, false);
  });
});

describe("flash PAL: power cuts", () => {
  for (const encrypted of [false, true])
    it(`at every eighth operation, in any manner${encrypted ? ", encrypted" : ""}: completed by the next life`, () => {
      ok(cutEverywhere({ encrypted }, 8) > 30);
    });

  it("loses at most the sector in hand", () => {
    const { operations } = verified().chip;
    for (let at = 0; at < operations; at++) {
      const rig = new PalRig();
      rig.create(FILE);
      let whole = 0;
      rig.chip.faults = cutPowerAt(at, "prefix");
      try {
        for (let offset = 0; offset < IMAGE.length; offset += SECTOR_SIZE) {
          rig.pal.writeBlock(offset, IMAGE.subarray(offset, offset + SECTOR_SIZE));
          if (rig.chip.powered) whole = offset + SECTOR_SIZE;
        }
      } catch {
        // The power went.
      }
      rig.chip.faults = undefined;
      rig.restart();
      ok(rig.create(FILE).byteLength >= Math.min(whole, IMAGE.length), `operation ${at}`);
    }
  });
});

describe("flash PAL: from verification to boot", () => {
  it("a bit that rots before closing is healed by fetching its sector again", () => {
    const rig = written();
    rig.chip.flipBits(2 * SECTOR_SIZE + 5, 0x80);
    const { code, left } = rig.close();
    equal(code, "signature-check");
    ok(left && !left.has(2 * SECTOR_SIZE, 16) && left.has(0, 2 * SECTOR_SIZE));
    equal(rig.write(IMAGE, 1024, left), SECTOR_SIZE);
    equal(rig.close().code, undefined);
  });

  it("a file that is bad although flash is good is not fetched again", () => {
    const rig = new PalRig();
    const wrong = { ...fileOf(rigImage("1.2.0")), fileSize: IMAGE.length };
    rig.create(wrong);
    rig.write(IMAGE);
    deepEqual(rig.close(), { code: "signature-check", left: undefined });
  });

  it("without a journal a rotten bit fails the file", () => {
    const rig = written({ size: 4 * SECTOR_SIZE });
    rig.chip.flipBits(5, 0x80);
    deepEqual(rig.close(), { code: "signature-check", left: undefined });
  });

  it("what changed on flash since it was verified is not booted", () => {
    const rig = verified();
    rig.chip.flipBits(SECTOR_SIZE, 0x01);
    equal(rig.activate(), "activate-failed");
    ok(!rig.boot.calls.includes("setBoot"), rig.boot.calls.join());
  });

  it("flash that cannot be read any more is not booted", () => {
    const rig = verified();
    rig.chip.faults = refuse((command) => command.kind === "read", "fail");
    equal(rig.activate(), "file-close");
    ok(!rig.boot.calls.includes("setBoot"), rig.boot.calls.join());
  });

  it("an image the boot loader does not take is not booted", () => {
    const rig = verified();
    rig.boot.failing = "setBoot";
    equal(rig.activate(), "activate-failed");
    ok(!rig.boot.calls.includes("restart"), rig.boot.calls.join());
  });

  it("a file that was not verified is not booted", () => {
    equal(written().activate(), "activate-failed");
    equal(new PalRig().activate(), "activate-failed");
  });

  it("is not asked for a file that was given up meanwhile", () => {
    const rig = verified();
    let called = false;
    rig.pal.activate(() => {
      called = true;
    });
    rig.pal.abort(false);
    rig.clock.run(1000);
    deepEqual([called, rig.boot.calls.includes("setBoot")], [false, false]);
  });

  it("is not switched to once it was given up, whatever the moment", () => {
    let turns = 0;
    for (; ; turns++) {
      const rig = verified();
      rig.pal.activate(() => {});
      for (let turn = 0; turn < turns; turn++) rig.clock.time.step();
      if (rig.boot.calls.includes("setBoot")) break;
      rig.pal.abort(false);
      rig.clock.run(1000);
      ok(!rig.boot.calls.includes("setBoot"), `given up after ${turns} turns, and booted all the same`);
    }
    ok(turns > 1, `${turns} turns until the switch`);
  });

  it("leaves the application time between two slices", () => {
    const rig = new PalRig({ size: 0x30000 });
    const large = rigImage("1.1.0", 0x20000);
    rig.create(fileOf(large));
    rig.write(large);
    let done = false;
    rig.pal.closeFile((error) => {
      equal(error, undefined);
      done = true;
    });
    let steps = 0;
    while (!done && rig.clock.time.step()) steps++;
    ok(steps >= 4, `${steps} turns for 32 sectors`);
    ok(rig.clock instanceof VirtualClock);
  });
});
