#include "alerter.h"

int main(int argc, char *argv[])
{
    return service_main(&alerter_service, argc, argv);
}
