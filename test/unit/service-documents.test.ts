import { otaDocument, otaJobId, presignedPlaceholder, signPlaceholders } from "../../service/documents.js";
import { createUpdate, streamOf } from "../../service/updates.js";
import { deepEqual, equal, throws } from "../support/assert.js";
import { ServiceProbe } from "../support/service-probe.js";

const UUID = "0b6c5a0e-3c1f-4f43-9d2a-5f3f0d1b2c3d";
const SIGNATURE = { key: "sig-sha256-ecdsa", value: "MEQC" };
const IMAGE = Uint8Array.from({ length: 1000 }, (_, i) => i & 0xff);

describe("service: job documents", () => {
  it("have the shape AWS gives them", () => {
    const file = {
      filePath: "/device/updates",
      fileSize: 9000,
      fileId: 0,
      fileType: 0,
      certFile: "cert.pem",
      signature: SIGNATURE,
      url: "https://bucket/key",
    };
    deepEqual(otaDocument({ protocols: ["MQTT", "HTTP"], streamId: `AFR_OTA-${UUID}`, files: [file] }), {
      afr_ota: {
        protocols: ["MQTT", "HTTP"],
        streamname: `AFR_OTA-${UUID}`,
        files: [
          {
            filepath: "/device/updates",
            filesize: 9000,
            fileid: 0,
            certfile: "cert.pem",
            fileType: 0,
            update_data_url: "https://bucket/key",
            auth_scheme: "aws.s3.presigned",
            "sig-sha256-ecdsa": "MEQC",
          },
        ],
      },
    });
  });

  it("come with a stream for MQTT and a URL for HTTP only", () => {
    const documents = (["MQTT", "HTTP"] as const).map((protocol) => {
      const service = new ServiceProbe();
      const job = createUpdate(service, {
        updateId: "u",
        uuid: UUID,
        image: IMAGE,
        things: ["t"],
        signature: SIGNATURE,
        protocols: [protocol],
        url: "http://host/image",
      });
      equal(service.streams.streams().length, protocol === "MQTT" ? 1 : 0);
      return job.document["afr_ota"] as { streamname?: string; files: { update_data_url?: string }[] };
    });
    deepEqual(
      documents.map(({ streamname, files }) => [streamname, files[0].update_data_url]),
      [
        [`AFR_OTA-${UUID}`, undefined],
        [undefined, "http://host/image"],
      ],
    );
  });

  it("are carried by a job named after the update", () => {
    const service = new ServiceProbe();
    const options = { updateId: "u", uuid: UUID, image: IMAGE, things: ["t"], signature: undefined };
    const job = createUpdate(service, options);
    equal(job.jobId, otaJobId("u"));
    equal(job.jobId, "AFR_OTA-u");
    equal(streamOf(job), `AFR_OTA-${UUID}`);
    equal(service.streams.stream(`AFR_OTA-${UUID}`).files[0].byteLength, 1000);
  });

  it("leave no stream behind when the job is refused", () => {
    const service = new ServiceProbe();
    const options = { updateId: "a/b", uuid: UUID, image: IMAGE, things: ["t"], signature: undefined };
    throws(() => createUpdate(service, options), { code: "InvalidRequest" });
    equal(service.streams.streams().length, 0);
  });

  it("have their placeholders signed anew at each delivery", () => {
    const document = {
      url: presignedPlaceholder("https://host/a"),
      list: [{ deep: presignedPlaceholder("https://host/b") }],
      text: `see ${presignedPlaceholder("https://host/c")} there`,
      number: 1,
      nothing: null,
    };
    let n = 0;
    deepEqual(
      signPlaceholders(document, (url) => `${url}?${++n}`),
      { ...document, url: "https://host/a?1", list: [{ deep: "https://host/b?2" }] },
    );
  });
});
