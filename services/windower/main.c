#include "windower.h"

int main(int argc, char *argv[])
{
    return service_main(&windower_service, argc, argv);
}
