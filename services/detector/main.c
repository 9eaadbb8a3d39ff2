#include "detector.h"

int main(int argc, char *argv[])
{
    return service_main(&detector_service, argc, argv);
}
