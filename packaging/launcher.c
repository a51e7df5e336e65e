/* The one executable of the payload: CPython, with what it imports in here and in the folder `lib` beside this file.
 *
 * No file outside of the payload and no variable of the environment changes what is imported. libpython, where it is not
 * linked in, and all other libraries are found by this file's DT_RPATH, which the loader takes before LD_LIBRARY_PATH:
 * Velero sets that to the folder where every plugin lies.
 */
#include <Python.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Code objects of the modules of every start, and their table, by payload.py: CPython finds them here before it looks
 * into any folder or archive, which was a fifth of the start. */
extern const unsigned char CODE[];
__asm__(".section .rodata\nCODE: .incbin \"frozen.bin\"\n.previous");
static const struct _frozen MODULES[] = {
#include "frozen.h"
    {NULL, NULL, 0, 0, NULL},
};

static const char *const SEARCHED[] = {"", "/modules.zip"};

static void end_on_failure(PyStatus status) {
    if (PyStatus_Exception(status)) {
        Py_ExitStatusException(status);
    }
}

/* Where this file is, symlinks resolved. */
static void find_executable(char *path, size_t size) {
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    if (length <= 0) {
        perror("stillpoint: cannot read /proc/self/exe");
        exit(3);
    }
    path[length] = '\0';
}

static void search_only_in(PyConfig *config, const char *executable) {
    int folder = (int)(strrchr(executable, '/') - executable);
    config->module_search_paths_set = 1;
    for (size_t i = 0; i < sizeof SEARCHED / sizeof *SEARCHED; i++) {
        char path[PATH_MAX + 32];
        snprintf(path, sizeof path, "%.*s/lib%s", folder, executable, SEARCHED[i]);
        wchar_t *decoded = Py_DecodeLocale(path, NULL);
        if (decoded == NULL) {
            end_on_failure(PyStatus_NoMemory());
        }
        end_on_failure(PyWideStringList_Append(&config->module_search_paths, decoded));
        PyMem_RawFree(decoded);
    }
}

int main(int argc, char **argv) {
    char executable[PATH_MAX];
    find_executable(executable, sizeof executable);
    PyImport_FrozenModules = MODULES;

    PyPreConfig before;
    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1; /* a pod sets no locale */
    end_on_failure(Py_PreInitialize(&before));

    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    config.site_import = 0;
    config.write_bytecode = 0;
    config.install_signal_handlers = 1;
    end_on_failure(PyConfig_SetBytesArgv(&config, argc, argv));
    end_on_failure(PyConfig_SetBytesString(&config, &config.executable, executable));
    end_on_failure(PyConfig_SetString(&config, &config.run_command, L"import start; raise SystemExit(start.main())"));
    search_only_in(&config, executable);
    end_on_failure(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
    return Py_RunMain();
}
