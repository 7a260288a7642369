/**
 * What the original agent (AWS IoT OTA library, main, May 2025) did when it was built and driven through each
 * case: messages, subscriptions, calls of the porting layer and of the application, in their order. Topics are
 * without their common beginning. Running version 1.0.1, thing "thing-1".
 * @module
 */

export const ORIGINAL: Readonly<Record<string, string>> = Object.freeze({
  "1 happy mqtt": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PAL.write off=0 n=4096
PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
CB Processed
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01
PAL.write off=4096 n=4096
CB Processed
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624104616e01
PAL.write off=8192 n=808
PAL.close
PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"ready","updatedBy":"0x01000001"}}
CB Activate jobId=AFR_OTA-job1
CB Processed
UNSUB q1 streams/AFR_OTA-XYZ/data/cbor
PAL.abort
UNSUB q0 jobs/notify-next
UNSUB q1 streams/
UNSUB q1 streams/
PAL.abort
`,
  "2 out of order + dup": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PAL.write off=8192 n=808
PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
CB Processed
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624103616e01
PAL.write off=0 n=4096
CB Processed
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624102616e01
CB Processed
PAL.write off=4096 n=4096
PAL.close
PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"ready","updatedBy":"0x01000001"}}
CB Activate jobId=AFR_OTA-job1
CB Processed
PAL.abort
`,
  "3 out of range index": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PAL.setImageState 3
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x000000e0: 0x00000000"}}
CB Fail jobId=AFR_OTA-job1
CB Processed
PAL.abort
`,
  "3b wrong fileId accepted?": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PAL.write off=0 n=4096
PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
CB Processed
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01
UNSUB q0 jobs/notify-next
UNSUB q1 streams/AFR_OTA-XYZ/data/cbor
UNSUB q1 streams/AFR_OTA-XYZ/data/cbor
PAL.abort
`,
  "3c l says 4096 but payload 10": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PAL.write off=0 n=4096
PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
CB Processed
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01
`,
  "4 malformed cbor": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PAL.setImageState 3
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x000000e0: 0x00000000"}}
CB Fail jobId=AFR_OTA-job1
CB Processed
PAL.abort
`,
  "5 momentum": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PAL.setImageState 4
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"aborted: 0x00000000"}}
PAL.abort
`,
  "6 check for update in WaitingForJob": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
`,
  "7 empty job": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB NoActiveJob
CB Processed
CB NoActiveJob
CB Processed
CB NoActiveJob
CB Processed
CB NoActiveJob
CB Processed
`,
  "8a missing required filesize, custom cb refuses": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"1:thing-1"}
CB ParseCustomJob id=AFR_OTA-job1
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x0000000c: 0x00000004"}}
PAL.abort
CB Processed
`,
  "8b zero file size": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"1:thing-1"}
CB Processed
`,
  "8c too large for bitmap (128*8 blocks*4096=4MiB)": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"1:thing-1"}
CB Processed
`,
  "8d bad base64": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"1:thing-1"}
CB ParseCustomJob id=AFR_OTA-job1
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x0000000c: 0x00000004"}}
PAL.abort
CB Processed
`,
  "8e not json": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"1:thing-1"}
CB NoActiveJob
CB Processed
`,
  "8f unsupported protocol": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"1:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
PAL.setImageState 4
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"aborted: 0x0000000d"}}
CB Processed
`,
  "8g create file failed": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"1:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
PAL.setImageState 4
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"aborted: 0xe5000012"}}
PAL.abort
CB Processed
`,
  "9b custom job not handled": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"1:thing-1"}
CB ParseCustomJob id=my-job
PUB q1 jobs/my-job/update {"status":"FAILED","statusDetails":{"reason":"0x0000000c: 0x00000004"}}
PAL.abort
CB Processed
`,
  "10 suspend/resume mid-download + same job doc": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"1:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PAL.write off=0 n=4096
PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
CB Processed
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01
CB Processed
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"2:thing-1"}
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01
PAL.write off=4096 n=4096
CB Processed
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624104616e01
PAL.write off=8192 n=808
PAL.close
PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"ready","updatedBy":"0x01000001"}}
CB Activate jobId=AFR_OTA-job1
CB Processed
PAL.abort
`,
  "11 user abort mid-download": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"2:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PAL.write off=0 n=4096
PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
CB Processed
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01
PAL.setImageState 4
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"aborted: 0x00000013"}}
PAL.abort
`,
  "12 different job mid-download": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"2:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PAL.write off=0 n=4096
PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
CB Processed
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01
PAL.setImageState 4
PAL.abort
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"2:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job2
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
`,
  "12b same job doc mid-download": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"2:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PAL.write off=0 n=4096
PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
CB Processed
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01
PAL.setImageState 4
PAL.abort
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"2:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
`,
  "13 self test ok": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"2:thing-1"}
PAL.setImageState 1
PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"active","updatedBy":"0x01000001"}}
CB ReceivedJob jobId=AFR_OTA-job1
CB Processed
CB StartTest
PAL.setImageState 2
PUB q1 jobs/AFR_OTA-job1/update {"status":"SUCCEEDED","statusDetails":{"reason":"accepted  v1.0.1","updatedBy":"  v1.0.0"}}
`,
  "13b self test same version": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"2:thing-1"}
PAL.setImageState 3
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"rejected: 0x00000010"}}
CB SelfTestFailed
PAL.reset
CB ReceivedJob jobId=
CB Processed
`,
  "13c self test downgrade": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"2:thing-1"}
PAL.setImageState 3
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"rejected: 0x0000000f"}}
CB SelfTestFailed
PAL.reset
CB ReceivedJob jobId=
CB Processed
`,
  "13d job self test, platform not": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"3:thing-1"}
PAL.setImageState 1
PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"active","updatedBy":"0x01000001"}}
CB ReceivedJob jobId=AFR_OTA-job1
CB Processed
PAL.setImageState 3
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"rejected: 0x00000011"}}
PAL.reset
`,
  "13e platform self test, job not": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"3:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.abort
CB Processed
`,
  "13f accept but PAL commit fails": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"3:thing-1"}
PAL.setImageState 1
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"rejected: 0xeb000056"}}
CB ReceivedJob jobId=
CB Processed
`,
  "13g reject in self test": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"3:thing-1"}
PAL.setImageState 1
PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"active","updatedBy":"0x01000001"}}
CB ReceivedJob jobId=AFR_OTA-job1
CB Processed
CB StartTest
PAL.setImageState 3
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"rejected: 0x00000000"}}
`,
  "13h self-test key active + no updatedBy": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"3:thing-1"}
PAL.setImageState 1
PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"active","updatedBy":"0x01000001"}}
CB ReceivedJob jobId=AFR_OTA-job1
CB Processed
CB StartTest
PAL.setImageState 2
PUB q1 jobs/AFR_OTA-job1/update {"status":"SUCCEEDED","statusDetails":{"reason":"accepted  v1.0.1","updatedBy":"  v0.0.0"}}
`,
  "14 sig fail": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"3:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=100
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624101616e01
PAL.write off=0 n=100
PAL.close
PAL.setImageState 3
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x000000e3: 0x00000034"}}
CB Fail jobId=AFR_OTA-job1
CB Processed
PAL.abort
`,
  "14b write fail": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"3:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PAL.write off=0 n=4096
PAL.setImageState 3
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x000000e0: 0x00000000"}}
CB Fail jobId=AFR_OTA-job1
CB Processed
PAL.abort
`,
  "15 non fw filetype": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"3:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=100
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624101616e01
PAL.write off=0 n=100
PAL.close
PUB q1 jobs/AFR_OTA-job1/update {"status":"SUCCEEDED","statusDetails":{"reason":"accepted  v0.0.2","updatedBy":"  v0.0.0"}}
CB UpdateComplete jobId=AFR_OTA-job1
CB Processed
PAL.abort
`,
  "16 two files": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"3:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=100
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624101616e01
`,
  "17 http": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"3:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
HTTP.init https://b/x?y
HTTP.range 0-4095
PAL.write off=0 n=4096
PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
CB Processed
HTTP.range 4096-8191
PAL.write off=4096 n=4096
CB Processed
HTTP.range 8192-8999
PAL.write off=8192 n=808
PAL.close
PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"ready","updatedBy":"0x01000001"}}
CB Activate jobId=AFR_OTA-job1
CB Processed
HTTP.deinit
PAL.abort
`,
  "18 both protocols order HTTP,MQTT": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"4:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
`,
  "19 job doc while CreatingFile (queued twice)": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"4:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
`,
  "20 publish fails at request job": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get (FAIL) {"clientToken":"4:thing-1"}
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get (FAIL) {"clientToken":"4:thing-1"}
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get (FAIL) {"clientToken":"4:thing-1"}
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get (FAIL) {"clientToken":"4:thing-1"}
PAL.abort
`,
  "20b publish fails at request block": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"4:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PUB q0 streams/AFR_OTA-XYZ/get/cbor (FAIL) a6616363726479616600616c191000616f0061624107616e01
PUB q0 streams/AFR_OTA-XYZ/get/cbor (FAIL) a6616363726479616600616c191000616f0061624107616e01
`,
  "22 no signature in job": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"4:thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=100
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624101616e01
`,
  "A stale fileType/attr/sig between jobs in one session": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=100
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624101616e04
PAL.write off=0 n=100
PAL.close
PUB q1 jobs/AFR_OTA-job1/update {"status":"SUCCEEDED","statusDetails":{"reason":"accepted  v0.0.2","updatedBy":"  v0.0.0"}}
CB UpdateComplete jobId=AFR_OTA-job1
CB Processed
UNSUB q1 streams/AFR_OTA-XYZ/data/cbor
PAL.abort
CB ReceivedJob jobId=AFR_OTA-job2
PAL.create size=100
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624101616e04
`,
  "C shorter job id after longer (parse fail leaves?)": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-longer-name
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e04
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
PAL.setImageState 4
PAL.abort
CB ReceivedJob jobId=AFR_OTA-songer-name
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e04
PAL.write off=0 n=4096
PUB q0 jobs/AFR_OTA-songer-name/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
CB Processed
`,
  "D multi-block request": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=50000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f00616242ff1f616e04
PAL.write off=0 n=4096
PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/13"}}
CB Processed
PAL.write off=8192 n=4096
CB Processed
CB Processed
PAL.write off=20480 n=4096
CB Processed
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f00616242da1f616e04
`,
  "E suspend in WaitingForJob then job": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB Processed
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
`,
  "F job 2 completes then job doc arrives queued before CloseFile processed": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=100
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624101616e04
PAL.write off=0 n=100
PAL.close
PUB q1 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"self_test":"ready","updatedBy":"0x01000001"}}
CB Activate jobId=AFR_OTA-job1
CB Processed
PAL.setImageState 4
PAL.abort
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
`,
  "P same job different filesize": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PAL.write off=0 n=4096
PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
CB Processed
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f006162420600616e01
`,
  "Q invalid doc after resume with live job": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PAL.write off=0 n=4096
PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
CB Processed
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ParseCustomJob id=AFR_OTA-job1
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x0000000c: 0x00000004"}}
PAL.abort
CB Processed
`,
  "R http late duplicate response": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
HTTP.init https://b/x?1
HTTP.range 0-4095
PAL.write off=0 n=4096
PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
CB Processed
HTTP.range 4096-8191
HTTP.range 4096-8191
PAL.write off=4096 n=4096
CB Processed
PAL.setImageState 3
PUB q1 jobs/AFR_OTA-job1/update {"status":"FAILED","statusDetails":{"reason":"0x000000e0: 0x00000000"}}
CB Fail jobId=AFR_OTA-job1
CB Processed
HTTP.range 12288-8999
HTTP.deinit
PAL.abort
`,
  "T empty notify after resume (job cancelled)": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PAL.write off=0 n=4096
PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
CB Processed
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB NoActiveJob
CB Processed
PAL.setImageState 4
PAL.abort
CB ReceivedJob jobId=AFR_OTA-job2
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
`,
  "U empty notify-next during download": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
SUB q0 streams/AFR_OTA-XYZ/data/cbor
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624107616e01
PAL.write off=0 n=4096
PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
CB Processed
PUB q0 streams/AFR_OTA-XYZ/get/cbor a6616363726479616600616c191000616f0061624106616e01
PAL.setImageState 4
PAL.abort
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB NoActiveJob
CB Processed
`,
  "S http refresh same job": `
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":":thing-1"}
CB ReceivedJob jobId=AFR_OTA-job1
PAL.create size=9000
CB Processed
HTTP.init https://b/x?1
HTTP.range 0-4095
PAL.write off=0 n=4096
PUB q0 jobs/AFR_OTA-job1/update {"status":"IN_PROGRESS","statusDetails":{"receive":"1/3"}}
CB Processed
HTTP.range 4096-8191
SUB q1 jobs/notify-next
PUB q1 jobs/$next/get {"clientToken":"1:thing-1"}
CB Processed
HTTP.init (null)
HTTP.range 4096-8191
`,
});
