#pragma once
/* As hosts/esp32/sdkconfig makes it. LACKING is the number of the one option that a test takes away; see boot.c. */
#ifndef LACKING
	#define LACKING -1
#endif
#define CONFIG_BOOTLOADER_OFFSET_IN_FLASH 0
#define CONFIG_PARTITION_TABLE_OFFSET 0x8000
#if LACKING != 0
	#define CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE 1
#endif
#if LACKING == 1
	#define CONFIG_BOOTLOADER_SKIP_VALIDATE_ALWAYS 1
#endif
#if LACKING == 2
	#define CONFIG_BOOTLOADER_SKIP_VALIDATE_ON_POWER_ON 1
#endif
#if LACKING == 3
	#define CONFIG_BOOTLOADER_SKIP_VALIDATE_IN_DEEP_SLEEP 1
#endif
#if LACKING == 4
	#define CONFIG_ESP_SYSTEM_PANIC_GDBSTUB 1
#else
	#define CONFIG_ESP_SYSTEM_PANIC_PRINT_REBOOT 1
#endif
#if LACKING != 5
	#define CONFIG_ESP_INT_WDT 1
#endif
#if LACKING != 6
	#define CONFIG_ESP_TASK_WDT_EN 1
#endif
#if LACKING != 7
	#define CONFIG_ESP_TASK_WDT_INIT 1
#endif
#if LACKING != 8
	#define CONFIG_ESP_TASK_WDT_PANIC 1
#endif
#if LACKING != 9
	#define CONFIG_BOOTLOADER_WDT_ENABLE 1
#endif
#if LACKING == 10
	#define MODDEF_XS_MODS 1
#endif
