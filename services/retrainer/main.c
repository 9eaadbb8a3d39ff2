#include "retrainer.h"

int main(int argc, char *argv[])
{
    return service_main(&retrainer_service, argc, argv);
}
