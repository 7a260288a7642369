/**
 * A fleet service of the product's own in place of AWS IoT Jobs.
 * @module
 */
import { ReceivedJobDocument, Subscribed } from "../../src/events.js";
import { type ControlListener, type ControlPlane, OtaAgent, type OtaAgentOptions } from "../../src/index.js";
import { deepEqual, equal, throws } from "../support/assert.js";
import { FakePal } from "../support/fake-pal.js";
import { VirtualClock } from "../support/virtual-clock.js";

/** Notes what the agent asks. */
class OwnPlane implements ControlPlane {
  readonly connected = true;
  readonly reporting = false;
  readonly requesting = false;
  readonly roundTrip = undefined;
  readonly rate = 0;
  readonly endedAs = undefined;
  readonly asked: string[] = [];
  readonly tell: ControlListener;
  constructor(tell: ControlListener) {
    this.tell = tell;
  }
  open(): void {
    this.asked.push("open");
  }
  close(): void {
    this.asked.push("close");
  }
  isReporting(): boolean {
    return false;
  }
  request(): void {
    this.asked.push("request");
  }
  cancelRequest(): void {}
  update(...[{ jobId }, status, { code }]: Parameters<ControlPlane["update"]>): void {
    this.asked.push(`${jobId} ${status} ${code}`);
  }
  dropUpdates(): void {}
}

function rig(more: Partial<OtaAgentOptions> = {}) {
  const clock = new VirtualClock();
  let plane!: OwnPlane;
  const agent = new OtaAgent({
    ...{ clock, pal: new FakePal(clock), thingName: "t", random: () => 0.5 },
    controlPlane: ({ thingName }, tell) => {
      equal(thingName, "t");
      plane = new OwnPlane(tell);
      return plane;
    },
    ...more,
  });
  return { agent, plane, clock };
}

describe("another control plane", () => {
  it("is asked in place of AWS IoT Jobs, without an MQTT connection", async () => {
    const { agent, plane } = rig();
    deepEqual(plane.asked, []);
    await agent.init();
    plane.tell(Subscribed);
    equal(agent.state, "RequestingJob");
    const job = {
      ...{ jobId: "7", executionNumber: undefined, protocols: ["HTTP"] as const, document: "{}" },
      files: [
        {
          ...{ fileId: 0, fileSize: 100, fileType: 0, filePath: "app", certFile: "", signature: undefined },
          ...{ streamName: "", url: "http://host/app" },
        },
      ],
      progress: { selfTest: false, updatedBy: undefined, image: "", payload: "" },
    };
    plane.tell(ReceivedJobDocument, { kind: "ota", clientToken: "own", job });
    await agent.shutdown();
    deepEqual(plane.asked, ["open", "request", "7 FAILED data-protocol", "close"]);
  });

  it("that is no function is an error that names it", () => {
    throws(() => rig({ controlPlane: {} as never }), { type: TypeError, message: '"controlPlane"' });
  });

  it("does not excuse an MQTT connection that is none", () => {
    throws(() => rig({ mqtt: 7 as never }), { type: TypeError, message: '"mqtt"' });
  });
});
