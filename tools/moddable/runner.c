/*
 * Runs an application built with "mcconfig -m -p lin -t build" without a display, as a device on the desk:
 * it restarts when the application asks for it or fails, and keeps nothing but the files.
 *
 *   runner seconds restarts mc.so
 *
 * Seconds are those of the clock, or with a "p" behind them those of the processor: computing takes longer on a busy machine.
 * The application's trace goes to standard output. It ends the run by screen.postMessage("exit:code"), and
 * restarts by screen.postMessage("restart"). After "restarts" restarts, or "seconds" seconds, the run has failed.
 * At the end of each life it tells the longest turn of the event loop, and apart from it the longest of the last
 * few, in which the device switches images and restarts. Both in processor time: what other programs did meanwhile
 * does not count.
 * Compiled against screen.h of the user's Moddable SDK.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <glib.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define mxLinux 1
#include "screen.h"

enum {
	EXIT_USAGE = 64,
	EXIT_LOAD = 66,
	EXIT_RESTARTS = 70,
	EXIT_TIME = 124
};

#define LAST_TURNS 4
#define WIDTH 240
#define HEIGHT 320

struct message {
	txScreen *screen;
	char text[64];
};

static char **gArguments;
static GMainLoop *gLoop;
static guint gIdle;
static int gCode;
static double gTurnStart;
static double gLongestTurn;
static double gLastTurns[LAST_TURNS];
static unsigned gTurns;

static void say(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(EXIT_USAGE);
}

/* Milliseconds of processor time this thread has used. */
static double processorTime(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void endTurn(void)
{
	double *turn = &gLastTurns[gTurns++ % LAST_TURNS];

	if (*turn > gLongestTurn)
		gLongestTurn = *turn;
	*turn = processorTime() - gTurnStart;
}

/* A turn is what runs between two waits of the event loop. */
static gint waitForEvents(GPollFD *descriptors, guint count, gint timeout)
{
	gint result;

	endTurn();
	result = g_poll(descriptors, count, timeout);
	gTurnStart = processorTime();
	return result;
}

static void tellTurns(void)
{
	double last = 0;
	int i;

	endTurn();
	for (i = 0; i < LAST_TURNS; i++)
		if (gLastTurns[i] > last)
			last = gLastTurns[i];
	fprintf(stdout, "runner: longest turn %.1f ms, at the end %.1f ms\n", gLongestTurn, last);
	fflush(stdout);
}

/* A reset: the process begins again. Connections break, as open descriptors are not inherited. */
static void restart(const char *why)
{
	long left = strtol(gArguments[2], NULL, 10) - 1;
	char count[24];
	long descriptor, limit = sysconf(_SC_OPEN_MAX);

	tellTurns();
	say("runner: restart: ");
	say(why);
	say("\n");
	if (left < 0) {
		say("runner: too many restarts\n");
		_exit(EXIT_RESTARTS);
	}
	snprintf(count, sizeof(count), "%ld", left);
	gArguments[2] = count;
	if (limit < 0 || limit > 65536)
		limit = 65536;
	for (descriptor = 3; descriptor < limit; descriptor++)
		close((int)descriptor);
	execv("/proc/self/exe", gArguments);
	_exit(EXIT_LOAD);
}

static void onTime(int signal)
{
	(void)signal;
	say("runner: out of time\n");
	_exit(EXIT_TIME);
}

/* The clock of the first start runs on through restarts. */
static void limitTime(const char *text)
{
	char *unit;
	struct itimerval limit = { { 0, 0 }, { (time_t)strtoul(text, &unit, 10), 0 } };

	signal(SIGALRM, onTime);
	signal(SIGPROF, onTime);
	if (getenv("XS_OTA_RUNNER"))
		return;
	setenv("XS_OTA_RUNNER", "1", 1);
	setitimer(*unit == 'p' ? ITIMER_PROF : ITIMER_REAL, &limit, NULL);
}

static void onAbort(txScreen *screen, int status)
{
	char why[40];

	(void)screen;
	snprintf(why, sizeof(why), "abort %d", status);
	restart(why);
}

static void ignore(txScreen *screen)
{
	(void)screen;
}

static gboolean idle(gpointer data)
{
	txScreen *screen = data;

	if (screen->idle)
		screen->idle(screen);
	return G_SOURCE_CONTINUE;
}

static void startIdle(txScreen *screen, double interval)
{
	if (!gIdle)
		gIdle = g_timeout_add((guint)interval, idle, screen);
}

static void stopIdle(txScreen *screen)
{
	(void)screen;
	if (gIdle)
		g_source_remove(gIdle);
	gIdle = 0;
}

static gboolean onMessage(gpointer data)
{
	struct message *message = data;

	if (!strcmp(message->text, "restart"))
		restart("asked for");
	if (!strncmp(message->text, "exit:", 5)) {
		gCode = (int)strtol(message->text + 5, NULL, 10);
		g_main_loop_quit(gLoop);
	}
	free(message);
	return G_SOURCE_REMOVE;
}

static void post(txScreen *screen, char *buffer, int size)
{
	struct message *message;

	if (size)
		return;
	message = calloc(1, sizeof(*message));
	if (!message)
		abort();
	message->screen = screen;
	snprintf(message->text, sizeof(message->text), "%s", buffer);
	g_idle_add_full(G_PRIORITY_DEFAULT, onMessage, message, NULL);
}

int main(int argc, char *argv[])
{
	char path[PATH_MAX];
	txScreenLaunchProc launch;
	txScreen *screen;
	void *library;

	if (argc != 4) {
		say("usage: runner seconds restarts mc.so\n");
		return EXIT_USAGE;
	}
	gArguments = argv;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	limitTime(argv[1]);
	library = realpath(argv[3], path) ? dlopen(path, RTLD_NOW) : NULL;
	launch = library ? (txScreenLaunchProc)dlsym(library, "fxScreenLaunch") : NULL;
	if (!launch) {
		fprintf(stderr, "runner: %s: %s\n", argv[3], library ? "no application" : (errno ? strerror(errno) : dlerror()));
		return EXIT_LOAD;
	}
	screen = calloc(1, sizeof(txScreen) + WIDTH * HEIGHT * screenBytesPerPixel);
	if (!screen)
		abort();
	screen->width = WIDTH;
	screen->height = HEIGHT;
	screen->abort = onAbort;
	screen->bufferChanged = ignore;
	screen->formatChanged = ignore;
	screen->post = post;
	screen->start = startIdle;
	screen->stop = stopIdle;
	mxCreateMutex(&screen->workersMutex);
	gLoop = g_main_loop_new(NULL, FALSE);
	launch(screen);
	if (!screen->machine) {
		say("runner: the application does not start\n");
		return EXIT_LOAD;
	}
	g_main_context_set_poll_func(NULL, waitForEvents);
	gTurnStart = processorTime();
	g_main_loop_run(gLoop);
	tellTurns();
	if (screen->quit)
		screen->quit(screen);
	fflush(stdout);
	return gCode;
}
