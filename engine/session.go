package engine

import (
	"context"
	"maps"
	"strings"
	"sync"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/functions"
)

// zoneType is the type of time_zone: a zone, in the spelling it has.
type zoneType struct{ sql.SystemVariableType }

// Convert implements sql.Type.
func (t zoneType) Convert(ctx context.Context, v any) (any, sql.ConvertInRange, error) {
	if v == nil {
		return nil, sql.OutOfRange, wrongValue("time_zone", "NULL", "")
	}
	name, ok := v.(string)
	zone := functions.FindZone(name)
	if !ok || zone == nil {
		return nil, sql.OutOfRange, functions.Errorf(1298, "Unknown or incorrect time zone: '%v'", v)
	}
	return zone.Name, sql.InRange, nil
}

// unobeyed are settings that change what a statement means, of which this
// server has one value: another is refused where it is set, never ignored.
var unobeyed = map[string]func(v any) error{
	"lc_messages": knownLocale,
	"lc_time_names": func(v any) error {
		if err := knownLocale(v); err != nil {
			return err
		}
		if name, _ := v.(string); !strings.HasPrefix(strings.ToLower(name), "en_") {
			return wrongValue("lc_time_names", name, "names of days and months are English here")
		}
		return nil
	},
	"collation_connection": func(v any) error {
		name, _ := v.(string)
		if _, ok := functions.CollationNamed(strings.ToLower(name)); !ok {
			return functions.Errorf(1273, "Unknown collation: '%s'", name)
		}
		return nil
	},
}

// locales are MySQL's (manual 12.16). Programs name that of their user as they
// start.
const locales = ` ar_AE ar_BH ar_DZ ar_EG ar_IN ar_IQ ar_JO ar_KW ar_LB ar_LY ar_MA ar_OM ar_QA ar_SA ar_SD ar_SY ar_TN ar_YE be_BY bg_BG ca_ES
 cs_CZ da_DK de_AT de_BE de_CH de_DE de_LU el_GR en_AU en_CA en_GB en_IN en_NZ en_PH en_US en_ZA en_ZW es_AR es_BO es_CL es_CO es_CR es_DO
 es_EC es_ES es_GT es_HN es_MX es_NI es_PA es_PE es_PR es_PY es_SV es_US es_UY es_VE et_EE eu_ES fi_FI fo_FO fr_BE fr_CA fr_CH fr_FR fr_LU
 gl_ES gu_IN he_IL hi_IN hr_HR hu_HU id_ID is_IS it_CH it_IT ja_JP ko_KR lt_LT lv_LV mk_MK mn_MN ms_MY nb_NO nl_BE nl_NL no_NO pl_PL pt_BR
 pt_PT rm_CH ro_RO ru_RU ru_UA sk_SK sl_SI sq_AL sr_RS sv_FI sv_SE ta_IN te_IN th_TH tr_TR uk_UA ur_PK vi_VN zh_CN zh_HK zh_TW `

func knownLocale(v any) error {
	name, _ := v.(string)
	for _, known := range strings.Fields(locales) {
		if strings.EqualFold(known, name) {
			return nil
		}
	}
	return functions.Errorf(1649, "Unknown locale: '%s'", name)
}

// guardSettings makes SET refuse what would be ignored. The variables are the
// process's.
var guardSettings = sync.OnceFunc(func() {
	checks := maps.Clone(unobeyed)
	for name := range onlyValues {
		checks[name] = checkOnly(name)
	}
	for name, check := range checks {
		known, _, _ := sql.SystemVariables.GetGlobal(name)
		v, ok := known.(*sql.MysqlSystemVariable)
		if !ok {
			continue
		}
		guarded, before := *v, v.NotifyChanged
		guarded.NotifyChanged = func(ctx *sql.Context, scope sql.SystemVariableScope, value sql.SystemVarValue) error {
			if err := check(value.Val); err != nil {
				return err
			}
			if before != nil {
				return before(ctx, scope, value)
			}
			return nil
		}
		sql.SystemVariables.AddSystemVariables([]sql.SystemVariable{&guarded})
	}
})
