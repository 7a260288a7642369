/*
 * A real XS engine with the functions of boot.c, for one script a life of a device. Each life is asked for on the standard
 * input by nine texts, each with a zero behind it:
 *   flash.bin slot-size slots factory encrypted mods running-slot reset-reason script
 * and lived by a process of its own, forked from an engine in which nothing has run. The answer is two such texts: what it
 * printed, the script's value as JSON or the exception, and its exit code: 0, 1 for an exception, 99 when the chip was
 * reset, 128 and more when a signal ended it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
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

static void flashFails(xsMachine *the)
{
	(void)the;
	idf_flash(IDF_FLASH_FAILS);
}

static void flashIgnores(xsMachine *the)
{
	(void)the;
	idf_flash(IDF_FLASH_IGNORES);
}

#define FIELDS 9
/* Longest a life takes, in seconds. */
#define PATIENCE 60

/* Installs the functions and runs the script. Returns the exit code. */
static int live(xsMachine *the, const char *script)
{
	int code = 0;

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
			INSTALL_HOST(flashFails)
			INSTALL_HOST(flashIgnores)
			xsSet(xsGlobal, xsID("hook"), xsVar(0));
			xsResult = xsCall1(xsGlobal, xsID("eval"), xsString(script));
			xsVar(0) = xsGet(xsGlobal, xsID("JSON"));
			xsResult = xsCall1(xsVar(0), xsID("stringify"), xsResult);
			printf("%s", xsTypeOf(xsResult) == xsUndefinedType ? "null" : xsToString(xsResult));
		}
		xsCatch {
			xsStringValue message = xsToString(xsException);
			printf("%s", message);
			code = 1;
		}
	}
	xsEndHost(the);
	return code;
}

static int one(xsMachine *the, char *fields[FIELDS])
{
	idf_device_t device;

	device.slotSize = (uint32_t)strtoul(fields[1], NULL, 0);
	device.slots = atoi(fields[2]);
	device.factory = atoi(fields[3]);
	device.encrypted = atoi(fields[4]);
	device.mods = atoi(fields[5]);
	device.running = atoi(fields[6]);
	device.resetReason = atoi(fields[7]);
	idf_open(fields[0], &device);
	return live(the, fields[8]);
}

int main(void)
{
	char *fields[FIELDS] = {0};
	size_t sizes[FIELDS] = {0};
	xsCreation creation = {0};
	xsMachine *the;

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
	for (;;) {
		int i, status;
		pid_t child;

		for (i = 0; i < FIELDS; i++)
			if (getdelim(&fields[i], &sizes[i], 0, stdin) < 1)
				return i == 0 ? 0 : 64;
		child = fork();
		if (child < 0)
			return 71;
		if (child == 0) {
			alarm(PATIENCE);
			exit(one(the, fields));
		}
		if (waitpid(child, &status, 0) != child)
			return 71;
		printf("%c%d%c", 0, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), 0);
		fflush(stdout);
	}
}
