/*
 * A real XS engine with the functions of boot.c:
 *   machine flash.bin slot-size slots factory encrypted mods running-slot reset-reason script
 * Prints the script's value as JSON; exit code 99 when the chip was reset.
 */
#include <stdio.h>
#include <stdlib.h>
#include "xs.h"
#include "idf.h"

#define HOOKS(EACH) \
	EACH(describe) EACH(chipRevision) EACH(builtForRollback) EACH(lacks) EACH(proof) EACH(beginProof) EACH(bootLoader) \
	EACH(imageState) EACH(otherState) EACH(keepWayBack) EACH(clearOther) EACH(setBoot) EACH(markValid) \
	EACH(markInvalid) EACH(secure) EACH(restart) EACH(resetReason) EACH(guard)

#define DECLARE(NAME) extern void xs_ota_##NAME(xsMachine *the);
HOOKS(DECLARE)

static void watchdog(xsMachine *the)
{
	xsResult = xsNumber((double)idf_watchdog());
}

static void letTimePass(xsMachine *the)
{
	(void)the;
	idf_let_time_pass();
}

int main(int argc, char *argv[])
{
	xsCreation creation = {0};
	idf_device_t device;
	xsMachine *the;
	int code = 0;

	if (argc != 10)
		return 64;
	device.slotSize = (uint32_t)strtoul(argv[2], NULL, 0);
	device.slots = atoi(argv[3]);
	device.factory = atoi(argv[4]);
	device.encrypted = atoi(argv[5]);
	device.mods = atoi(argv[6]);
	device.running = atoi(argv[7]);
	device.resetReason = atoi(argv[8]);
	idf_open(argv[1], &device);
	creation.initialChunkSize = 1 << 20;
	creation.incrementalChunkSize = 1 << 18;
	creation.initialHeapCount = 1 << 16;
	creation.incrementalHeapCount = 1 << 14;
	creation.stackCount = 4096;
	creation.initialKeyCount = 2048;
	creation.incrementalKeyCount = 256;
	creation.nameModulo = 1993;
	creation.symbolModulo = 127;
	creation.parserBufferSize = 32768;
	creation.parserTableModulo = 1993;
	the = xsCreateMachine(&creation, "boot", NULL);
	if (!the)
		return 70;
	xsBeginHost(the);
	{
		xsVars(2);
		xsTry {
			xsVar(0) = xsNewObject();
#define INSTALL(NAME) xsVar(1) = xsNewHostFunction(xs_ota_##NAME, 0); xsSet(xsVar(0), xsID(#NAME), xsVar(1));
#define INSTALL_HOST(NAME) xsVar(1) = xsNewHostFunction(NAME, 0); xsSet(xsVar(0), xsID(#NAME), xsVar(1));
			HOOKS(INSTALL)
			INSTALL_HOST(watchdog)
			INSTALL_HOST(letTimePass)
			xsSet(xsGlobal, xsID("hook"), xsVar(0));
			xsResult = xsCall1(xsGlobal, xsID("eval"), xsString(argv[9]));
			xsVar(0) = xsGet(xsGlobal, xsID("JSON"));
			xsResult = xsCall1(xsVar(0), xsID("stringify"), xsResult);
			printf("%s\n", xsTypeOf(xsResult) == xsUndefinedType ? "null" : xsToString(xsResult));
		}
		xsCatch {
			xsStringValue message = xsToString(xsException);
			fprintf(stderr, "%s\n", message);
			code = 1;
		}
	}
	xsEndHost(the);
	fflush(stdout);
	return code;
}
