/**
 * The golden traces: what the original agent did when it was run, and what ours does on the same inputs. The
 * vocabulary is in README.md.
 * @module
 */

/** Reasons that come up again and again; a trace names them by `@` and the key. */
export const REASONS: Readonly<Record<string, string>> = Object.freeze({
  request:
    "asks for the head alone at first, then for all there is room for, by offset and short bitmap; a token would come back with every block",
  retry: "asks again after the measured round-trip, then less and less often",
  offline: "nothing is asked for without a connection, and nothing is given up for the lack of one",
  head: "nothing is written before the image's head was accepted; what came too early comes again",
  block: "a bad block is not written, so the next one is not asked for",
  bad: "a bad block is counted and asked for again, and does no harm",
  unsub: "unsubscribes at the end of every transfer; the original forgets it from its second life on",
  last: "the agent has ended before the device restarts",
  verdict: "the state of the running image is not touched by a download that failed",
  testing: "the platform knows already that its image is on trial",
  close: "lets go of the file when the job has ended, and not before",
  told: "the application is told of every end, before the service is",
  next: "looks for the next job by itself",
  emptyid: "an event about a job without an id is a mistake of the original",
  trial: "a job that comes back in self-test is not a new one",
  custom: "a document with afr_ota is an OTA job, be it a bad one",
  progress: "the last block is reported too",
  range: "asks for all blocks in a row with one range: what comes is told by Content-Range, not by counting",
  deinit: "the connection stays open for what comes next",
  asks: "another job in front does not say that this one is over: the service is asked",
});

export interface Trace {
  readonly title: string;
  /** Its name among the recordings of the original. */
  readonly original: string;
  readonly text: string;
}

export const TRACES: readonly Trace[] = Object.freeze([
  {
    title: "Happy path",
    original: "1 happy mqtt",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=0
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
out PAL.write off=0 n=4096
out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0161624103616e02 # @request
in block i=1
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01 # @request
out PAL.write off=4096 n=4096
in block i=2 l=808
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624104616e01 # @request
out PAL.write off=8192 n=808
out PAL.close
+out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
out PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"ready","updatedBy":"0x01000001"}}
in accepted
out CB Activate jobId=AFR_OTA-job1
in shutdown
-out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
out PAL.abort
out UNSUB jobs/notify-next
-out PAL.abort # @close
`,
  },
  {
    title: "Self-test accepted",
    original: "13 self test ok",
    text: `
in start platform=pending
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job self_test=ready updatedBy=0x01000000
-out PAL.setImageState 1 # @testing
out PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"active","updatedBy":"0x01000001"}}
-out CB ReceivedJob jobId=AFR_OTA-job1 # @trial
out CB StartTest
in accepted
in set accepted
out PAL.setImageState 2
+out PAL.abort # @close
+out CB UpdateComplete jobId=AFR_OTA-job1 # @told
out PUB q1 jobs/AFR_OTA-job1/update {"status":"SUCCEEDED","statusDetails":{"reason":"accepted  v1.0.1","updatedBy":"  v1.0.0"}}
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
`,
  },
  {
    title: "Same version",
    original: "13b self test same version",
    text: `
in start platform=pending
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job self_test=ready updatedBy=0x01000001
out PAL.setImageState 3
+out CB SelfTestFailed # @told
out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"rejected: 0x00000010"}}
in accepted
+out PAL.abort # @close
+out UNSUB jobs/notify-next # @last
-out CB SelfTestFailed # @told
out PAL.reset
-out CB ReceivedJob jobId= # @emptyid
`,
  },
  {
    title: "Downgrade",
    original: "13c self test downgrade",
    text: `
in start platform=pending
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job self_test=ready updatedBy=0x01000002
out PAL.setImageState 3
+out CB SelfTestFailed # @told
out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"rejected: 0x0000000f"}}
in accepted
+out PAL.abort # @close
+out UNSUB jobs/notify-next # @last
-out CB SelfTestFailed # @told
out PAL.reset
-out CB ReceivedJob jobId= # @emptyid
`,
  },
  {
    title: "Job self-test, platform not",
    original: "13d job self test, platform not",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job self_test=ready updatedBy=0x01000000
+out PAL.abort # @close
+out CB Fail jobId=AFR_OTA-job1 # @told
-out PAL.setImageState 1 # @testing
-out PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"active","updatedBy":"0x01000001"}} # an image that is not on trial is neither announced as such nor left by a restart
-out CB ReceivedJob jobId=AFR_OTA-job1 # @trial
-out PAL.setImageState 3 # @verdict
out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"rejected: 0x00000011"}}
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
-out PAL.reset # an image that is not on trial is neither announced as such nor left by a restart
`,
  },
  {
    title: "Platform self-test, job not",
    original: "13e platform self test, job not",
    text: `
in start platform=pending
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
+out PAL.setImageState 3 # the image on trial is given up on purpose: recorded, reported, then the restart (the original waits for its self-test timer)
+out CB SelfTestFailed # @told
+out UNSUB jobs/notify-next # @last
+out PAL.reset # the image on trial is given up on purpose: recorded, then the restart (the original waits for its self-test timer)
-out CB ReceivedJob jobId=AFR_OTA-job1 # @trial
-out PAL.abort # the job has installed nothing: the old image takes it up
`,
  },
  {
    title: "Self-test accepted, commit fails",
    original: "13f accept but PAL commit fails",
    text: `
in start platform=pending
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job self_test=ready updatedBy=0x01000000
+out PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"active","updatedBy":"0x01000001"}} # the porting layer is asked to commit when the test has passed, not to test
+out CB StartTest # the porting layer is asked to commit when the test has passed, not to test
in accepted
in fail setImageState commit-failed self-test
in set accepted
+out PAL.setImageState 2 # the porting layer is asked to commit when the test has passed, not to test
+out PAL.setImageState 3 # an image that cannot be committed is given up: the original goes on running it
+out CB SelfTestFailed # @told
+out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"rejected: 0xeb000000"}} # an image that cannot be committed is given up: the original goes on running it
in accepted
+out PAL.abort # @close
+out UNSUB jobs/notify-next # @last
+out PAL.reset # an image that cannot be committed is given up: the original goes on running it
-out PAL.setImageState 1 # @testing
-out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"rejected: 0xeb000056"}} # an image that cannot be committed is given up: the original goes on running it
-out CB ReceivedJob jobId= # @emptyid
`,
  },
  {
    title: "Self-test rejected",
    original: "13g reject in self test",
    text: `
in start platform=pending
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job self_test=ready updatedBy=0x01000000
-out PAL.setImageState 1 # @testing
out PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"active","updatedBy":"0x01000001"}}
-out CB ReceivedJob jobId=AFR_OTA-job1 # @trial
out CB StartTest
in accepted
in set rejected
out PAL.setImageState 3
+out CB SelfTestFailed # @told
out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"rejected: 0x00000000"}}
in accepted
+out PAL.abort # @close
+out UNSUB jobs/notify-next # @last
+out PAL.reset # the agent leaves a rejected image by itself; the original lets it run on
`,
  },
  {
    title: "Self-test active, no updatedBy",
    original: "13h self-test key active + no updatedBy",
    text: `
in start platform=pending
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job self_test=active
-out PAL.setImageState 1 # @testing
out PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"active","updatedBy":"0x01000001"}}
-out CB ReceivedJob jobId=AFR_OTA-job1 # @trial
out CB StartTest
in accepted
in set accepted
out PAL.setImageState 2
+out PAL.abort # @close
+out CB UpdateComplete jobId=AFR_OTA-job1 # @told
out PUB q1 jobs/AFR_OTA-job1/update {"status":"SUCCEEDED","statusDetails":{"reason":"accepted  v1.0.1","updatedBy":"  v0.0.0"}}
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
`,
  },
  {
    title: "Bad signature",
    original: "14 sig fail",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job size=100
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=100
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in fail close signature-check verify
in block i=0 l=100
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624101616e01 # @request
out PAL.write off=0 n=100
+out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/1"}} # @progress
out PAL.close
+out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
+out PAL.abort # @close
-out PAL.setImageState 3 # @verdict
-out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x000000e3: 0x00000034"}} # the sub-code of the original is a mark inside its porting layer
out CB Fail jobId=AFR_OTA-job1
+out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x000000e3: 0x00000000"}} # the sub-code of the original is a mark inside its porting layer
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
-out PAL.abort # @close
`,
  },
  {
    title: "User abort",
    original: "11 user abort mid-download",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=0
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
out PAL.write off=0 n=4096
out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0161624103616e02 # @request
in set aborted
+out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
+out PAL.abort # @close
+out CB Fail jobId=AFR_OTA-job1 # @told
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01 # @request
-out PAL.setImageState 4 # @verdict
out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"aborted: 0x00000013"}}
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
-out PAL.abort # @close
`,
  },
  {
    title: "Momentum",
    original: "5 momentum",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in wait 10000
+out asks again for blocks 0 # @retry
in wait 10000
in wait 10000
+out asks again for blocks 0 # @retry
in wait 270000
+out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
-out PAL.setImageState 4 # @verdict
-out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"aborted: 0x00000000"}} # the original loses the reason, stops for good and tells nobody; ours lives on
out PAL.abort
+out CB Fail jobId=AFR_OTA-job1 # @told
+out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"aborted: 0x0000000e"}} # the original loses the reason, stops for good and tells nobody; ours lives on
+out asks again for blocks 0 # @retry
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
`,
  },
  {
    title: "Suspend and resume",
    original: "10 suspend/resume mid-download + same job doc",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=0
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
out PAL.write off=0 n=4096
out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0161624103616e02 # @request
in suspend
in block i=1
in resume
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01 # @request
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a661636133616600616c191000616f0161624103616e02 # @request
in block i=1
-out SUB q0 streams/AFR_OTA-XYZ/data/cbor # a suspended transfer keeps its subscription
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01 # @request
out PAL.write off=4096 n=4096
in block i=2 l=808
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624104616e01 # @request
out PAL.write off=8192 n=808
out PAL.close
+out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
out PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"ready","updatedBy":"0x01000001"}}
in accepted
out CB Activate jobId=AFR_OTA-job1
-out PAL.abort # @close
`,
  },
  {
    title: "Window of 4, 13 blocks",
    original: "D multi-block request",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job size=50000
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=50000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=0
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f00616242ff1f616e04 # @request
out PAL.write off=0 n=4096
out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/13"}}
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f01616242ff0f616e0c # @request
in block i=2
out PAL.write off=8192 n=4096
in block i=2
in block i=5
out PAL.write off=20480 n=4096
in wait 10000
+out asks again for blocks 1 3 4 6 7 # @retry
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f00616242da1f616e04 # @request
`,
  },
  {
    title: "Out of order, and twice",
    original: "2 out of order + dup",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=2 l=808
in block i=0
+out PAL.write off=0 n=4096 # @head
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
-out PAL.write off=8192 n=808 # @head
out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0161624103616e02 # @request
in block i=0
in block i=1
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624103616e01 # @request
-out PAL.write off=0 n=4096 # @head
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624102616e01 # @request
out PAL.write off=4096 n=4096
in block i=2 l=808
+out PAL.write off=8192 n=808 # @head
out PAL.close
+out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
out PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"ready","updatedBy":"0x01000001"}}
in accepted
out CB Activate jobId=AFR_OTA-job1
-out PAL.abort # @close
`,
  },
  {
    title: "Block out of range",
    original: "3 out of range index",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=3
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
-out PAL.setImageState 3 # @verdict
-out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x000000e0: 0x00000000"}} # @bad
-out CB Fail jobId=AFR_OTA-job1 # @told
-out PAL.abort # @close
`,
  },
  {
    title: "Block of another file",
    original: "3b wrong fileId accepted?",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block f=7 i=0
in shutdown
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
-out PAL.write off=0 n=4096 # @bad
-out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}} # @bad
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01 # @block
-out UNSUB jobs/notify-next # @last
out UNSUB streams/AFR_OTA-XYZ/data/cbor
-out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
out PAL.abort
+out UNSUB jobs/notify-next # @last
`,
  },
  {
    title: "Block shorter than it says",
    original: "3c l says 4096 but payload 10",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=0 p=10
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
-out PAL.write off=0 n=4096 # @bad
-out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}} # @bad
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01 # @block
`,
  },
  {
    title: "Malformed block",
    original: "4 malformed cbor",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in message streams/AFR_OTA-XYZ/data/cbor xyz
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
-out PAL.setImageState 3 # @verdict
-out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x000000e0: 0x00000000"}} # @bad
-out CB Fail jobId=AFR_OTA-job1 # @told
-out PAL.abort # @close
`,
  },
  {
    title: "Check for update while waiting",
    original: "6 check for update in WaitingForJob",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in reply {}
+out CB NoActiveJob # @next
in check
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
`,
  },
  {
    title: "Empty queue",
    original: "7 empty job",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in reply {}
out CB NoActiveJob
in notify empty
out CB NoActiveJob
in notify empty
out CB NoActiveJob
in notify empty
out CB NoActiveJob
`,
  },
  {
    title: "No file size",
    original: "8a missing required filesize, custom cb refuses",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job without=filesize
+out CB Fail # @told
-out CB ParseCustomJob id=AFR_OTA-job1 # @custom
out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x0000000c: 0x00000004"}}
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
-out PAL.abort # @close
`,
  },
  {
    title: "File size zero",
    original: "8b zero file size",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job size=0
+out CB Fail # @told
+out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x0000000c: 0x00000004"}} # the original leaves such a job in the queue for ever
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
`,
  },
  {
    title: "More than 4 MiB",
    original: "8c too large for bitmap (128*8 blocks*4096=4MiB)",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job size=4194305
+out CB ReceivedJob jobId=AFR_OTA-job1 # a file may be as large as its slot
+out PAL.create size=4194305 # a file may be as large as its slot
+out SUB q0 streams/AFR_OTA-XYZ/data/cbor # a file may be as large as its slot
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
`,
  },
  {
    title: "Bad base64",
    original: "8d bad base64",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job sig=Zg===
+out CB Fail # @told
-out CB ParseCustomJob id=AFR_OTA-job1 # @custom
out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x0000000c: 0x00000004"}}
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
-out PAL.abort # @close
`,
  },
  {
    title: "Not JSON",
    original: "8e not json",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in reply not json
in wait 5000
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
-out CB NoActiveJob # @next
`,
  },
  {
    title: "Unsupported protocol",
    original: "8f unsupported protocol",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job protocols=BLE
+out CB Fail # @told
-out CB ReceivedJob jobId=AFR_OTA-job1 # seen before the slot is touched
-out PAL.create size=9000 # seen before the slot is touched
-out PAL.setImageState 4 # @verdict
out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"aborted: 0x0000000d"}}
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
`,
  },
  {
    title: "File cannot be created",
    original: "8g create file failed",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in fail create file-too-large
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
-out PAL.setImageState 4 # @verdict
-out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"aborted: 0xe5000012"}} # the sub-code of the original is a mark inside its porting layer
out PAL.abort
+out CB Fail jobId=AFR_OTA-job1 # @told
+out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"aborted: 0xe5000000"}} # the sub-code of the original is a mark inside its porting layer
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
`,
  },
  {
    title: "Custom job not claimed",
    original: "9b custom job not handled",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in reply {"execution":{"jobId":"my-job","jobDocument":{"operation":"reboot"}}}
-out CB ParseCustomJob id=my-job # @custom
-out PUB q1 jobs/my-job/update {"status":"FAILED","statusDetails":{"reason":"0x0000000c: 0x00000004"}} # a job that is not for this agent is left alone
-out PAL.abort # @close
`,
  },
  {
    title: "Job replaced during a transfer",
    original: "12 different job mid-download",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=0
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
out PAL.write off=0 n=4096
out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0161624103616e02 # @request
in notify id=AFR_OTA-job2
+out PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}} # @asks
in rejected InvalidStateTransition is=CANCELED
+out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01 # @request
-out PAL.setImageState 4 # @verdict
out PAL.abort
+out CB Fail jobId=AFR_OTA-job1 # @told
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job id=AFR_OTA-job2
out CB ReceivedJob jobId=AFR_OTA-job2
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
`,
  },
  {
    title: "Same job again during a transfer",
    original: "12b same job doc mid-download",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=0
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
out PAL.write off=0 n=4096
out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0161624103616e02 # @request
in notify
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01 # @request
-out PAL.setImageState 4 # @verdict
-out PAL.abort # @close
-out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
-out CB ReceivedJob jobId=AFR_OTA-job1 # a document of the same job refreshes what it is about; the original begins anew
-out PAL.create size=9000 # a document of the same job refreshes what it is about; the original begins anew
-out SUB q0 streams/AFR_OTA-XYZ/data/cbor # a document of the same job refreshes what it is about; the original begins anew
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
`,
  },
  {
    title: "Flash does not write",
    original: "14b write fail",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in fail write flash-write
in block i=0
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
out PAL.write off=0 n=4096
+out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
+out PAL.abort # @close
+out CB Fail jobId=AFR_OTA-job1 # @told
-out PAL.setImageState 3 # @verdict
out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x000000e0: 0x00000000"}}
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
-out CB Fail jobId=AFR_OTA-job1 # @told
-out PAL.abort # @close
`,
  },
  {
    title: "A file that is no firmware",
    original: "15 non fw filetype",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job size=100 type=2
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=100
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=0 l=100
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624101616e01 # @request
out PAL.write off=0 n=100
+out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/1"}} # @progress
out PAL.close
+out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
+out PAL.abort # @close
+out CB UpdateComplete jobId=AFR_OTA-job1 # @told
out PUB q1 jobs/AFR_OTA-job1/update {"status":"SUCCEEDED","statusDetails":{"reason":"accepted  v0.0.2","updatedBy":"  v0.0.0"}}
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
-out CB UpdateComplete jobId=AFR_OTA-job1 # @told
-out PAL.abort # @close
`,
  },
  {
    title: "Two files",
    original: "16 two files",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job files=2 size=100
+out CB Fail jobId=AFR_OTA-job1 # @told
+out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x0000000c: 0x00000004"}} # what is not supported is refused; the original installs the first file and reports success
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
-out CB ReceivedJob jobId=AFR_OTA-job1 # what is not supported is refused; the original installs the first file and reports success
-out PAL.create size=100 # what is not supported is refused; the original installs the first file and reports success
-out SUB q0 streams/AFR_OTA-XYZ/data/cbor # what is not supported is refused; the original installs the first file and reports success
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624101616e01 # @request
`,
  },
  {
    title: "HTTP and MQTT offered",
    original: "18 both protocols order HTTP,MQTT",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job protocols=HTTP,MQTT
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
`,
  },
  {
    title: "Same job again at the start",
    original: "19 job doc while CreatingFile (queued twice)",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in notify
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
`,
  },
  {
    title: "Offline at the start",
    original: "20 publish fails at request job",
    text: `
in offline
in start
in wait 40000
in online
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
-out PUB q1 jobs/$next/get (FAIL) {"clientToken":"<n>:thing-1"} # @next
-out PUB q1 jobs/$next/get (FAIL) {"clientToken":"<n>:thing-1"} # @next
-out PUB q1 jobs/$next/get (FAIL) {"clientToken":"<n>:thing-1"} # @next
-out PUB q1 jobs/$next/get (FAIL) {"clientToken":"<n>:thing-1"} # @next
-out PAL.abort # @close
`,
  },
  {
    title: "Offline during a transfer",
    original: "20b publish fails at request block",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in offline
in wait 20000
in online
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # a notification may have been missed without a connection
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a661636132616600616c191000616f0061624101616e01 # @request
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor (FAIL) a6616363726479616600616c191000616f0061624107616e01 # @offline
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor (FAIL) a6616363726479616600616c191000616f0061624107616e01 # @offline
`,
  },
  {
    title: "No signature",
    original: "22 no signature in job",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in fail create signature-missing verify
in job size=100 sig=none
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=100
+out PAL.abort # @close
+out CB Fail jobId=AFR_OTA-job1 # @told
+out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x000000e3: 0x00000000"}} # refused before a block is fetched
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
-out SUB q0 streams/AFR_OTA-XYZ/data/cbor # refused before a block is fetched
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624101616e01 # @request
`,
  },
  {
    title: "Nothing inherited from the job before",
    original: "A stale fileType/attr/sig between jobs in one session",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job size=100 type=2
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=100
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=0 l=100
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624101616e04 # @request
out PAL.write off=0 n=100
+out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/1"}} # @progress
out PAL.close
-out PUB q1 jobs/AFR_OTA-job1/update {"status":"SUCCEEDED","statusDetails":{"reason":"accepted  v0.0.2","updatedBy":"  v0.0.0"}} # the file is closed before success is reported
-out CB UpdateComplete jobId=AFR_OTA-job1 # @told
out UNSUB streams/AFR_OTA-XYZ/data/cbor
out PAL.abort
+out CB UpdateComplete jobId=AFR_OTA-job1 # @told
+out PUB q1 jobs/AFR_OTA-job1/update {"status":"SUCCEEDED","statusDetails":{"reason":"accepted  v0.0.2","updatedBy":"  v0.0.0"}} # the file is closed before success is reported
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in job id=AFR_OTA-job2 size=100 sig=none
out CB ReceivedJob jobId=AFR_OTA-job2
out PAL.create size=100
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624101616e04 # @request
`,
  },
  {
    title: "Shorter job id after a longer one",
    original: "C shorter job id after longer (parse fail leaves?)",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job id=AFR_OTA-longer-name
out CB ReceivedJob jobId=AFR_OTA-longer-name
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in suspend
in resume
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e04 # @request
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job id=AFR_OTA-s
+out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
-out PAL.setImageState 4 # @verdict
out PAL.abort
+out CB Fail jobId=AFR_OTA-longer-name # @told
+out CB ReceivedJob jobId=AFR_OTA-s # the original mixes both ids
-out CB ReceivedJob jobId=AFR_OTA-songer-name # the original mixes both ids
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=0
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e04 # @request
out PAL.write off=0 n=4096
+out PUB q0 jobs/AFR_OTA-s/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}} # the original mixes both ids
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0161624103616e02 # @request
-out PUB q0 jobs/AFR_OTA-songer-name/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}} # the original mixes both ids
`,
  },
  {
    title: "Suspended while waiting",
    original: "E suspend in WaitingForJob then job",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in suspend
in notify
in resume
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
`,
  },
  {
    title: "Job document between last block and close",
    original: "F job 2 completes then job doc arrives queued before CloseFile processed",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job size=100
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=100
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=0 l=100
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624101616e04 # @request
out PAL.write off=0 n=100
+out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/1"}} # @progress
out PAL.close
+out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
out PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"ready","updatedBy":"0x01000001"}}
in notify size=100
in accepted
out CB Activate jobId=AFR_OTA-job1
-out PAL.setImageState 4 # @verdict
-out PAL.abort # @close
-out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
`,
  },
  {
    title: "Same job, another file size",
    original: "P same job different filesize",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=0
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
out PAL.write off=0 n=4096
out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0161624103616e02 # @request
in suspend
in resume
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01 # @request
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job size=50000
+out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
+out PAL.abort # @close
+out CB Fail jobId=AFR_OTA-job1 # @told
+out CB ReceivedJob jobId=AFR_OTA-job1 # another file is another update; the original goes on with the old bitmap
+out PAL.create size=50000 # another file is another update; the original goes on with the old bitmap
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f006162420600616e01 # @request
`,
  },
  {
    title: "Invalid document after resume",
    original: "Q invalid doc after resume with live job",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=0
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
out PAL.write off=0 n=4096
out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0161624103616e02 # @request
in suspend
in resume
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01 # @request
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job without=filesize
+out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
+out PAL.abort # @close
+out CB Fail jobId=AFR_OTA-job1 # @told
+out CB Fail # @told
-out CB ParseCustomJob id=AFR_OTA-job1 # @custom
out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x0000000c: 0x00000004"}}
in accepted
+out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"} # @next
in reply {}
+out CB NoActiveJob # @next
-out PAL.abort # @close
`,
  },
  {
    title: "Cancelled while suspended",
    original: "T empty notify after resume (job cancelled)",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=0
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
out PAL.write off=0 n=4096
out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0161624103616e02 # @request
in suspend
in resume
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01 # @request
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in reply {}
+out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
+out PAL.abort # @close
+out CB Fail jobId=AFR_OTA-job1 # @told
out CB NoActiveJob
in notify id=AFR_OTA-job2
-out PAL.setImageState 4 # @verdict
-out PAL.abort # @close
out CB ReceivedJob jobId=AFR_OTA-job2
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
`,
  },
  {
    title: "Cancelled during a transfer",
    original: "U empty notify-next during download",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out SUB q0 streams/AFR_OTA-XYZ/data/cbor
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0061624101616e01 # @request
in block i=0
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01 # @request
out PAL.write off=0 n=4096
out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
+out PUB q0 streams/AFR_OTA-XYZ/get/cbor a5616600616c191000616f0161624103616e02 # @request
in notify empty
+out PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}} # @asks
in rejected InvalidStateTransition is=CANCELED
+out UNSUB streams/AFR_OTA-XYZ/data/cbor # @unsub
-out PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01 # @request
-out PAL.setImageState 4 # @verdict
out PAL.abort
+out CB Fail jobId=AFR_OTA-job1 # @told
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in reply {}
out CB NoActiveJob
`,
  },
  {
    title: "HTTP",
    original: "17 http",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job protocols=HTTP url=https://b/x?y stream=none
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out HTTP.init https://b/x?y
out HTTP.range 0-4095
in http
out PAL.write off=0 n=4096
out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
+out HTTP.range 4096-8999 # @range
in http
-out HTTP.range 4096-8191 # @range
out PAL.write off=4096 n=4096
-out HTTP.range 8192-8999 # @range
out PAL.write off=8192 n=808
out PAL.close
out PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"ready","updatedBy":"0x01000001"}}
in accepted
out CB Activate jobId=AFR_OTA-job1
-out HTTP.deinit # @deinit
-out PAL.abort # @close
`,
  },
  {
    title: "HTTP, a fresh URL",
    original: "S http refresh same job",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job protocols=HTTP url=https://b/x?1 stream=none
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out HTTP.init https://b/x?1
out HTTP.range 0-4095
in http
out PAL.write off=0 n=4096
out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
+out HTTP.range 4096-8999 # @range
in check
-out HTTP.range 4096-8191 # @range
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job protocols=HTTP url=https://b/x?2 stream=none
+out HTTP.init https://b/x?2 # the original loses the fresh URL
+out HTTP.range 4096-8999 # @range
-out HTTP.init (null) # the original loses the fresh URL
-out HTTP.range 4096-8191 # @range
`,
  },
  {
    title: "HTTP, a response that does not come",
    original: "R http late duplicate response",
    text: `
in start
out PUB q1 jobs/$next/get {"clientToken":"<n>:thing-1"}
in job protocols=HTTP url=https://b/x?1 stream=none
out CB ReceivedJob jobId=AFR_OTA-job1
out PAL.create size=9000
out HTTP.init https://b/x?1
out HTTP.range 0-4095
in http
out PAL.write off=0 n=4096
out PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
+out HTTP.range 4096-8999 # @range
in wait 16000
+out HTTP.range 4096-8999 # @range
in http
-out HTTP.range 4096-8191 # @range
-out HTTP.range 4096-8191 # @range
out PAL.write off=4096 n=4096
+out PAL.write off=8192 n=808 # the original takes the late second answer for the next block, and the job for lost
+out PAL.close # the original takes the late second answer for the next block, and the job for lost
+out PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"ready","updatedBy":"0x01000001"}} # the original takes the late second answer for the next block, and the job for lost
in accepted
+out CB Activate jobId=AFR_OTA-job1 # the original takes the late second answer for the next block, and the job for lost
-out PAL.setImageState 3 # the original takes the late second answer for the next block, and the job for lost
-out PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x000000e0: 0x00000000"}} # the original takes the late second answer for the next block, and the job for lost
-out CB Fail jobId=AFR_OTA-job1 # the original takes the late second answer for the next block, and the job for lost
-out HTTP.range 12288-8999 # the original counts responses instead of looking what they are
-out HTTP.deinit # @deinit
-out PAL.abort # @close
`,
  },
]);
