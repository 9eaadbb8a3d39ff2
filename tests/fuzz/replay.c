/* replay.c: runs a fuzz target over the files of its corpus, where no fuzzer is linked. Arguments
 * that begin with a dash are the fuzzer's and passed over. Exit 1 where there is no file: a corpus
 * that is not found proves nothing. */
#include "check/check.h"
#include "fuzz.h"
#include "memory/buffer.h"

#include <dirent.h>

static int replay_folder(const char *folder)
{
    DIR *directory = opendir(folder);
    int count = 0;
    if (directory == NULL)
        return 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (file == NULL)
            continue;
        struct buffer bytes = {0};
        char part[4096];
        for (size_t size; (size = fread(part, 1, sizeof part, file)) > 0;)
            buffer_append(&bytes, part, size);
        (void)fclose(file);
        (void)LLVMFuzzerTestOneInput(bytes.bytes, bytes.size);
        buffer_fini(&bytes);
        count++;
    }
    (void)closedir(directory);
    return count;
}

int main(int argc, char *argv[])
{
    int count = 0;
    for (int i = 1; i < argc; i++)
        count += argv[i][0] == '-' ? 0 : replay_folder(argv[i]);
    (void)printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
